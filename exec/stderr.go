package exec

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Stderr is what an MTA gets as fd 2.
type Stderr uint8

const (
	StderrAuto   Stderr = iota // our own, or syslog if that is the client's
	StderrAsIs                 // our own, even if that is the client's
	StderrSyslog               // each line becomes a line of syslog
	StderrNull                 // /dev/null
)

// mtaStderr is what the next MTA gets as fd 2.
type mtaStderr struct {
	to    Stderr // StderrAuto only until SetStderr
	relay int    // our end of the relay's socket; 0 = none
	null  int    // /dev/null; 0 = not open
}

// SetStderr sets what MTAs get as fd 2 from now on. Before the first call it is our own, as
// StderrAsIs.
//
// For syslog it starts a relay, a process that ends when no MTA has its stderr open any more. If
// one is running, it is used again. The MTA's fd 2 is then a socket that never blocks: if the relay
// is slow or gone, a write(2) fails, without a signal.
//
// On error, MTAs get /dev/null if fd 2 is the client's, otherwise our own. The error says so, and
// wraps an *os.SyscallError or *os.PathError.
//
// Do not call it while Spawn runs.
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
	case s.StderrIsClient: // our own fd 2 is /dev/null
		m.to, m.null = StderrNull, 2
		return wrap("", err, "; the MTA's stderr is lost")
	}
	m.to = StderrAsIs
	return wrap("", err, "; the MTA gets sendwrap's own stderr")
}

func (m *mtaStderr) openNull() (err error) {
	if m.null == 0 {
		m.null, err = openDevNull(unix.O_RDWR)
	}
	return err
}

// openRelay starts a relay, unless one is running.
func (m *mtaStderr) openRelay() error {
	if m.relay > 0 {
		if !isHungUp(m.relay) {
			return nil
		}
		unix.Close(m.relay)
		m.relay = 0
	}
	// Not a pipe: a write without a reader would cause SIGPIPE.
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

// startRelay starts a relay that reads from a socket. SO_PASSCRED adds the pid of the writer.
func startRelay(from int) error {
	CloseOnExec() // else it would keep descriptors of our parent
	if err := unix.SetsockoptInt(from, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	to, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(to)
	const self = "/proc/self/exe"
	pid, err := syscall.ForkExec(self, []string{RelayName}, &syscall.ProcAttr{
		Dir:   "/",
		Files: []uintptr{uintptr(from), uintptr(to)}, // no fd 2: its reader may wait for EOF
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return &os.PathError{Op: "exec", Path: self, Err: explain(self, err)}
	}
	var status unix.WaitStatus
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Wait4(pid, &status, 0, nil)
	}
	if err == nil && status != 0 { // otherwise ECHILD: another goroutine has reaped it
		return os.NewSyscallError("fork", unix.Errno(status.ExitStatus()))
	}
	return nil
}

// isHungUp reports whether the other end of a socket is closed.
func isHungUp(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLHUP != 0
}

// mtaFD is the descriptor that the MTA of a client gets as fd 2.
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

// showStderr gives fd 2 to the MTA. hide undoes it.
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
		// If /dev/null cannot be opened, the caller must still be able to reply.
		if _ = s.hideStderr(); before >= 0 {
			_ = unix.Dup3(before, 2, 0)
			unix.Close(before)
		}
	}, nil
}
