package wrapper

import (
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/ledger"
)

// mtaSocket is a session's connection, in the process of its MTA. That needs CAP_SYS_PTRACE and
// Linux 5.6.
type mtaSocket struct {
	pid, pidfd     int
	fd             int // ours, of the MTA's fd 0
	client, server netip.AddrPort
}

// openMTA opens the connection of a session. It is an error if the process is not the very one that
// the ledger names, or if the client on its fd 0 is another.
func openMTA(s ledger.LiveSession) (m mtaSocket, err error) {
	m = mtaSocket{pid: s.Process.PID, client: s.Client}
	if m.pidfd, err = s.Process.Open(); err != nil {
		return m, err
	}
	if m.fd, err = unix.PidfdGetfd(m.pidfd, 0, 0); err != nil {
		unix.Close(m.pidfd)
		return m, err
	}
	peer, err := syscall.Getpeername(m.fd)
	if err == nil && AddrPort(peer) != s.Client {
		err = unix.ENOTCONN
	}
	if err != nil {
		m.close()
		return m, err
	}
	m.server = LocalAddr(m.fd)
	return m, nil
}

func (m *mtaSocket) close() {
	unix.Close(m.fd)
	unix.Close(m.pidfd)
}

// idleness says for how long a session has been idle.
type idleness struct {
	after time.Duration // since either side has sent anything
	bytes uint64        // that the client has sent
}

// silent says whether the client has never sent anything.
func (i idleness) silent() bool { return i.bytes == 0 }

// established is TCP_ESTABLISHED (linux/tcp.h): neither side has ended.
const established = 1

// idle reports whether neither side has sent anything for this long and the MTA waits for its
// client. An MTA that works, for however long, waits for something else. One that waits for several
// things at once is taken for working.
func (m *mtaSocket) idle(atLeast time.Duration) (i idleness, ok bool) {
	info, err := unix.GetsockoptTCPInfo(m.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || info.State != established {
		return i, false
	}
	i.after = time.Duration(min(info.Last_data_sent, info.Last_data_recv)) * time.Millisecond
	i.bytes = info.Bytes_received
	return i, i.after >= atLeast && waitsForClient(m.pid)
}

// waitForExit reports whether the process has ended by the deadline.
func (m *mtaSocket) waitForExit(deadline time.Time) bool {
	fds := []unix.PollFd{{Fd: int32(m.pidfd), Events: unix.POLLIN}}
	for {
		left := max(0, time.Until(deadline))
		n, err := unix.Poll(fds, pollTime(left))
		if err != unix.EINTR {
			return n > 0
		}
	}
}
