package guard

import (
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper"
)

// answerTime is how long an MTA may take to tell its client that the session is over, and to close.
// sendmail needs 1 ms on an idle machine.
const answerTime = 5 * time.Second

// disconnectAfter ends the client's connection after a while, if the MTA has not done so by then.
func (s *session) disconnectAfter(d time.Duration) {
	time.AfterFunc(d, s.disconnect)
}

// disconnect ends the client's connection without its MTA. The MTA's process may serve another
// client next, so it gets no signal: shutdown(2) acts on the one socket of this client. Data that
// was written to it still arrives. Where that is not possible (a milter over TCP, no
// CAP_SYS_PTRACE, Linux before 5.6) the session goes on, and gets nothing but 421.
func (s *session) disconnect() {
	if s.authed.Load() && !s.config.GuardAuth {
		return
	}
	s.withSocket(func(fd int) { _ = unix.Shutdown(fd, unix.SHUT_RDWR) })
}

// withSocket runs work on the MTA's socket of this client, if it can be reached and the session is
// not closed.
func (s *session) withSocket(work func(fd int)) {
	if s.mta == 0 || s.closed.Load() {
		return
	}
	s.guard.socketMu.Lock()
	defer s.guard.socketMu.Unlock()
	pidfd, err := unix.PidfdOpen(s.mta, 0)
	if err != nil {
		return
	}
	defer unix.Close(pidfd)
	if s.closed.Load() { // so the pid may have been another process's by then
		return
	}
	if s.socket >= 0 && s.onDescriptor(pidfd, s.socket, work) {
		return
	}
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(s.mta) + "/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && s.onDescriptor(pidfd, fd, work) {
			s.socket = fd // for the next time
			return
		}
	}
}

// onDescriptor runs work on a descriptor of the process if it is the client's socket.
func (s *session) onDescriptor(pidfd, fd int, work func(fd int)) bool {
	ours, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		return false
	}
	defer unix.Close(ours)
	peer, err := syscall.Getpeername(ours)
	if err != nil || wrapper.AddrPort(peer) != s.client {
		return false
	}
	work(ours)
	return true
}

// processOf is the process at the other end of a unix socket, which serves the client; 0 if it is
// not known.
func processOf(c net.Conn) int {
	local, ok := c.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := local.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) {
		peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil {
			pid = int(peer.Pid)
		}
	})
	return pid
}
