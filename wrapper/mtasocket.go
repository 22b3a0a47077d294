package wrapper

import (
	"net/netip"
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

// openMTA finds it. The process is the very one that the ledger names, and its client is the
// session's, or there is an error.
func openMTA(s ledger.LiveSession) (m mtaSocket, err error) {
	m = mtaSocket{pid: s.Process.PID, client: s.Client}
	if m.pidfd, err = s.Process.Open(); err != nil {
		return m, err
	}
	if m.fd, err = unix.PidfdGetfd(m.pidfd, 0, 0); err != nil {
		unix.Close(m.pidfd)
		return m, err
	}
	peer, err := unix.Getpeername(m.fd)
	if err == nil && addrPort(peer) != s.Client {
		err = unix.ENOTCONN
	}
	if err != nil {
		m.close()
		return m, err
	}
	if name, err := unix.Getsockname(m.fd); err == nil {
		m.server = addrPort(name)
	}
	return m, nil
}

func (m *mtaSocket) close() {
	unix.Close(m.fd)
	unix.Close(m.pidfd)
}

// idleness is what is seen of a session that is idle.
type idleness struct {
	after time.Duration // since anything was said
	heard uint64        // bytes that the client has sent
}

// mute says whether the client has never said a word.
func (i idleness) mute() bool { return i.heard == 0 }

// established is TCP_ESTABLISHED (linux/tcp.h): neither side has ended.
const established = 1

// idle says whether the session is: nothing was said for so long, and its MTA waits for the client.
// One that works, however long for, waits for something else; and so does one that waits for
// several things at once, as far as can be told.
func (m *mtaSocket) idle(atLeast time.Duration) (i idleness, is bool) {
	info, err := unix.GetsockoptTCPInfo(m.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || info.State != established {
		return i, false
	}
	i.after = time.Duration(min(info.Last_data_sent, info.Last_data_recv)) * time.Millisecond
	i.heard = info.Bytes_received
	return i, i.after >= atLeast && waitsForClient(m.pid)
}

// ends waits until the process has ended, and reports whether it has by then.
func (m *mtaSocket) ends(deadline time.Time) bool {
	fds := []unix.PollFd{{Fd: int32(m.pidfd), Events: unix.POLLIN}}
	for {
		left := max(0, time.Until(deadline))
		n, err := unix.Poll(fds, int((left+time.Millisecond-1)/time.Millisecond))
		if err != unix.EINTR {
			return n > 0
		}
	}
}
