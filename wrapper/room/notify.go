package room

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// serviceManager is the one that has started us and wants our state (sd_notify(3)). If its socket
// has no room for a message, the message is lost: clients come first.
type serviceManager struct {
	fd       int // -1: there is none
	to       unix.Sockaddr
	watchdog time.Duration // it restarts us after this time without a message; 0: never
	status   string        // as last sent
	brief    bool          // it gets no status and no watchdog messages
}

// newServiceManager reads the environment. If an inetd has started us, the variables are inetd's:
// systemd would take our READY=1 for inetd's, or log it as a stranger's, so systemd gets nothing.
// (INVOCATION_ID, which each service of systemd has, shows that it is systemd; no variable that is
// always there names the process that is meant.) Other managers get brief messages. For a unit
// without an inetd, its NotifyAccess= says which processes may send messages.
func newServiceManager(behindInetd bool) *serviceManager {
	s := &serviceManager{fd: -1, brief: behindInetd}
	name := os.Getenv("NOTIFY_SOCKET")
	if len(name) < 2 || name[0] != '/' && name[0] != '@' ||
		behindInetd && os.Getenv("INVOCATION_ID") != "" {
		return s
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return s
	}
	s.fd, s.to = fd, &unix.SockaddrUnix{Name: name} // for x/sys, @ is the abstract namespace
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err == nil && usec > 0 && !s.brief && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		s.watchdog = time.Duration(usec) * time.Microsecond
	}
	return s
}

func (s *serviceManager) notify(state string) {
	if s.fd >= 0 {
		_ = unix.Sendto(s.fd, []byte(state), unix.MSG_NOSIGNAL, s.to)
	}
}

func (s *serviceManager) ready() { s.notify("READY=1") }

// reloading must be followed by ready.
func (s *serviceManager) reloading() {
	s.notify("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(monotonic().Microseconds(), 10))
}

func (s *serviceManager) stopping() { s.notify("STOPPING=1") }

func (s *serviceManager) alive() { s.notify("WATCHDOG=1") }

// setStatus sets the text that systemctl status shows.
func (s *serviceManager) setStatus(status string) {
	if status != s.status && !s.brief {
		s.status = status
		s.notify("STATUS=" + status)
	}
}
