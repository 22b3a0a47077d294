package exec

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Again becomes a newer build of the calling program itself, with argv and environ as they are
// given and these descriptors still open: same process, same children.
//
// Go handles a signal from signal.Notify on, and until then the new program does what is the
// default of it, mostly to end: for some milliseconds. SIGUSR2 waits meanwhile, so that it is not
// lost. SIGHUP cannot, since a Go program unblocks it when it starts: the caller has it ignored
// before, and does afterwards what it asks for. SIGTERM may well end the program.
//
// It returns only on failure, with an *os.PathError, and then all is as it was before.
func Again(path string, argv, environ []string, fds []int) error {
	defer func() {
		for _, fd := range fds {
			unix.CloseOnExec(fd)
		}
	}()
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return os.NewSyscallError("fcntl", err)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var wait, before unix.Sigset_t
	wait.Val[0] = 1 << (unix.SIGUSR2 - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &wait, &before); err != nil {
		return os.NewSyscallError("rt_sigprocmask", err)
	}
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) }()
	err := unix.Exec(path, argv, environ)
	return &os.PathError{Op: "exec", Path: path, Err: explain(path, err)}
}

// maxAnswer is how much of what a program says is read.
const maxAnswer = 4096

// Ask runs a program with one argument, for so long at most, and returns what it writes to stdout.
// The error says why it could not be run, or did not close stdout in time; with what status it ends
// is of no matter. It is killed then, if it has not ended, and another goroutine may be the one to
// reap it.
func Ask(path, arg string, atMost time.Duration) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		w.Close()
		return "", err
	}
	defer null.Close()
	// A number would not do: another goroutine may have reaped the child, and the number may be
	// another's by then.
	child := -1
	_, err = syscall.ForkExec(path, []string{path, arg}, &syscall.ProcAttr{
		Env:   environment(os.Environ(), Ends{}),
		Files: []uintptr{null.Fd(), w.Fd(), null.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &child},
	})
	w.Close()
	if err != nil {
		return "", &os.PathError{Op: "exec", Path: path, Err: explain(path, err)}
	}
	defer end(child)
	_ = r.SetReadDeadline(time.Now().Add(atMost))
	var said bytes.Buffer
	if _, err := said.ReadFrom(&limited{r, maxAnswer}); err != nil {
		return "", fmt.Errorf("%s %s: %w", path, arg, err)
	}
	return said.String(), nil
}

// end kills a child, if it still runs, and reaps it, if nobody has. Before Linux 5.4 there is no
// descriptor of it, and it is left to itself.
func end(child int) {
	if child < 0 {
		return
	}
	defer unix.Close(child)
	_ = unix.PidfdSendSignal(child, unix.SIGKILL, nil, 0)
	_ = unix.Waitid(unix.P_PIDFD, child, nil, unix.WEXITED, nil)
}

// limited ends after so many bytes.
type limited struct {
	file *os.File
	left int
}

func (l *limited) Read(b []byte) (int, error) {
	if l.left == 0 {
		return 0, fmt.Errorf("says more than %d bytes", maxAnswer)
	}
	n, err := l.file.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err
}
