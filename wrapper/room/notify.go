package room

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// supervisor is the service manager that has started us and wants to know how we are
// (sd_notify(3)). Without one, nothing is said. It is not asked to listen: what its socket does not
// take at once is dropped, since clients come first.
type supervisor struct {
	fd       int // -1: nobody wants to know
	to       unix.Sockaddr
	watchdog time.Duration // by which it must have heard from us; 0 = it does not mind
	status   string        // as last told
	brief    bool          // told only when we are ready, read the configuration, and end
}

// newSupervisor takes what the environment says. A manager that has started not us but the inetd
// before us wants to know how that one is: it would take our READY=1 for inetd's, or log it as a
// stranger's. INVOCATION_ID, which each service of systemd has, tells that it is systemd; no
// variable that is always there names the process that is meant. Any other manager is told briefly.
// Who may speak for a unit without an inetd, its NotifyAccess= says.
func newSupervisor(behindInetd bool) *supervisor {
	s := &supervisor{fd: -1, brief: behindInetd}
	name := os.Getenv("NOTIFY_SOCKET")
	if len(name) < 2 || name[0] != '/' && name[0] != '@' ||
		behindInetd && os.Getenv("INVOCATION_ID") != "" {
		return s
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return s
	}
	s.fd, s.to = fd, &unix.SockaddrUnix{Name: name} // x/sys makes of a leading @ the abstract namespace
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err == nil && usec > 0 && !s.brief && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		s.watchdog = time.Duration(usec) * time.Microsecond
	}
	return s
}

func (s *supervisor) tell(state string) {
	if s.fd >= 0 {
		_ = unix.Sendto(s.fd, []byte(state), unix.MSG_NOSIGNAL, s.to)
	}
}

func (s *supervisor) ready() { s.tell("READY=1") }

// reloading is to be followed by ready.
func (s *supervisor) reloading() {
	s.tell("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(monotonic().Microseconds(), 10))
}

func (s *supervisor) stopping() { s.tell("STOPPING=1") }

func (s *supervisor) alive() { s.tell("WATCHDOG=1") }

// say tells the status in words, for systemctl status, if it is another than before.
func (s *supervisor) say(status string) {
	if status != s.status && !s.brief {
		s.status = status
		s.tell("STATUS=" + status)
	}
}
