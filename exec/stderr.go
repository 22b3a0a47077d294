package exec

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Stderr is what a program gets as fd 2.
type Stderr uint8

const (
	StderrAuto   Stderr = iota // as it was given to us, unless that is the client's: then syslog
	StderrAsIs                 // as it was given to us, which may be the client's
	StderrSyslog               // each line of it becomes one of syslog's
	StderrNull                 // /dev/null
)

// mtaStderr is what the next program gets as fd 2.
type mtaStderr struct {
	to    Stderr // never StderrAuto, once it has been chosen
	relay int    // our end of what leads to the relay; 0: there is none
	null  int    // /dev/null; 0: it is not open
}

// SetStderr says what programs get as fd 2 from now on; before that it is as it was given to us.
//
// For syslog it starts the relay, a process that ends with the last program that has it for its
// stderr; the next program gets the same one, if it runs still. It is an unnamed socket that never
// blocks: where the relay does not come to read, or is gone, a program's write(2) fails, and the
// program gets no signal.
//
// On error, which wraps an *os.SyscallError or *os.PathError and says so, programs get /dev/null if
// fd 2 was the client's, else they get it as it was given to us.
//
// Not to be called while Spawn runs.
func (s *Stdio) SetStderr(to Stderr) error {
	switch {
	case to == StderrAuto && s.StderrIsClient:
		to = StderrSyslog
	case to == StderrAuto:
		to = StderrAsIs
	}
	m := &s.mta
	var err error
	switch to {
	case StderrSyslog:
		err = m.openRelay()
	case StderrNull:
		err = m.openNull()
	}
	switch {
	case err == nil:
		m.to = to
		return nil
	case s.StderrIsClient: // and our own fd 2 is /dev/null
		m.to, m.null = StderrNull, 2
		return fmt.Errorf("%w; what the MTA writes to stderr is lost", err)
	}
	m.to = StderrAsIs
	return fmt.Errorf("%w; the MTA gets stderr as sendwrap has it", err)
}

func (m *mtaStderr) openNull() (err error) {
	if m.null == 0 {
		if m.null, err = unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			m.null = 0
			return &os.PathError{Op: "open", Path: os.DevNull, Err: err}
		}
	}
	return nil
}

// openRelay starts the relay, unless there is one.
func (m *mtaStderr) openRelay() error {
	if m.relay > 0 {
		if !isHungUp(m.relay) {
			return nil
		}
		unix.Close(m.relay)
		m.relay = 0
	}
	// Not a pipe: a program that writes to one without a reader gets SIGPIPE.
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	ours, its := pair[0], pair[1]
	defer unix.Close(its)
	if err = startRelay(its); err == nil {
		err = os.NewSyscallError("fcntl", unix.SetNonblock(ours, true))
	}
	if err != nil {
		unix.Close(ours)
		return err
	}
	m.relay = ours
	return nil
}

// startRelay starts a process that reads from a socket, by which it learns who writes.
func startRelay(from int) error {
	CloseOnExec() // else it would have what our parent has left open
	if err := unix.SetsockoptInt(from, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	to, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(to)
	// The mask is the thread's own: the relay is to end by any signal.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mask, err := emptyMask()
	if err != nil {
		return err
	}
	defer restoreMask(mask)
	const self = "/proc/self/exe"
	pid, err := syscall.ForkExec(self, []string{RelayName}, &syscall.ProcAttr{
		Dir:   "/",
		Files: []uintptr{uintptr(from), uintptr(to)}, // no fd 2: somebody may wait for the end of ours
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return &os.PathError{Op: "exec", Path: self, Err: explain(self, err)}
	}
	var status unix.WaitStatus
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Wait4(pid, &status, 0, nil)
	}
	if err == nil && status != 0 { // ECHILD: somebody else was faster
		return os.NewSyscallError("fork", unix.Errno(status.ExitStatus()))
	}
	return nil
}

// isHungUp says whether nobody is at the other end of a socket.
func isHungUp(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLHUP != 0
}

// mtaFD is the descriptor that a program gets as fd 2, where its client is on fd client.
func (s *Stdio) mtaFD(client int) int {
	switch {
	case s.mta.to == StderrSyslog:
		return s.mta.relay
	case s.mta.to == StderrNull:
		return s.mta.null
	case s.StderrIsClient:
		return client
	}
	return 2
}

// showStderr makes fd 2 what the program is to get there. hide makes it again what it was.
func (s *Stdio) showStderr() (hide func(), err error) {
	to := s.mtaFD(s.stderr)
	if to == 2 {
		return func() {}, nil
	}
	before := -1
	if !s.StderrIsClient {
		if before, err = unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3); err != nil {
			return nil, os.NewSyscallError("fcntl", err)
		}
	}
	if err := unix.Dup3(to, 2, 0); err != nil {
		return nil, os.NewSyscallError("dup3", err)
	}
	return func() {
		// Should /dev/null be out of reach all of a sudden, the caller's reply still matters more.
		if _ = s.hideStderr(); before >= 0 {
			_ = unix.Dup3(before, 2, 0)
			unix.Close(before)
		}
	}, nil
}
