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

// answerTime is what an MTA has to tell its client that the session is over, and to close. sendmail
// needs 1 ms, on a machine that has little else to do.
const answerTime = 5 * time.Second

// cutAfter ends the client's connection after a while, if the MTA has not done so by then.
func (s *session) cutAfter(d time.Duration) {
	time.AfterFunc(d, s.cut)
}

// cut ends the client's connection over the head of its MTA, whose process may be another client's
// next: no signal then, but shutdown(2) on the one socket that leads to this client. What was
// written to it still arrives. Where that cannot be done (a milter over TCP, no CAP_SYS_PTRACE,
// Linux before 5.6) the session goes on, and hears nothing but 421.
func (s *session) cut() {
	if s.authed.Load() && !s.config.GuardAuth {
		return
	}
	s.withSocket(func(fd int) { _ = unix.Shutdown(fd, unix.SHUT_RDWR) })
}

// withSocket runs work on the MTA's socket that leads to this client, if it can be reached and the
// session has not left.
func (s *session) withSocket(work func(fd int)) {
	if s.mta == 0 || s.gone.Load() {
		return
	}
	s.guard.cutting.Lock()
	defer s.guard.cutting.Unlock()
	pidfd, err := unix.PidfdOpen(s.mta, 0)
	if err != nil {
		return
	}
	defer unix.Close(pidfd)
	if s.gone.Load() { // so the process may have been another one by then
		return
	}
	if s.socket >= 0 && s.try(pidfd, s.socket, work) {
		return
	}
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(s.mta) + "/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && s.try(pidfd, fd, work) {
			s.socket = fd // where it is found at once the next time
			return
		}
	}
}

// try runs work on the process's descriptor if it is the one with the client.
func (s *session) try(pidfd, fd int, work func(fd int)) bool {
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

// processOf is the process at the other end of a unix socket: the one that has the client. 0 if
// there is none to be known.
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
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(peer.Pid)
		}
	})
	return pid
}
