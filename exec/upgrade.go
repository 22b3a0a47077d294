package exec

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Upgrade replaces the calling program by a newer build of itself: the same process with the same
// children, and with fds still open. argv and environ are passed on unchanged.
//
// The new program handles a signal from its signal.Notify on. Until then, for some milliseconds, a
// signal has its default effect, which is mostly to end the program. Upgrade blocks SIGUSR2, so
// that it arrives afterwards. SIGHUP cannot be blocked, since a Go program unblocks it when it
// starts: the caller ignores it before, and the new program does what it asks for. SIGTERM may end
// the program.
//
// It returns only on failure, mostly with an *os.PathError or *os.SyscallError. Then fds are
// close-on-exec and the signal mask is as before. Other goroutines may start children: these do not
// get fds. Upgrade waits for a start that is under way, but fails if that hangs.
func Upgrade(path string, argv, environ []string, fds []int) error {
	if !forbidStarts() {
		return errors.New("the start of another program hangs")
	}
	defer syscall.ForkLock.RUnlock()
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
	var blocked, before unix.Sigset_t
	blocked.Val[0] = 1 << (unix.SIGUSR2 - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &before); err != nil {
		return os.NewSyscallError("rt_sigprocmask", err)
	}
	defer restoreMask(before)
	err := unix.Exec(path, argv, environ)
	return &os.PathError{Op: "exec", Path: path, Err: explain(path, err)}
}

// maxStart is for how long Upgrade waits for a start that is under way.
const maxStart = 500 * time.Millisecond

// forbidStarts keeps other goroutines from starting children until ForkLock is unlocked: a hook
// would keep the connections of all clients open.
func forbidStarts() (ok bool) {
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if syscall.ForkLock.TryRLock() {
			return true
		}
		if time.Since(begin) > maxStart {
			return false
		}
	}
}

// maxAnswer is the longest output of a program that Query runs, in bytes.
const maxAnswer = 4096

// Query runs a program with one argument and returns its output. If the output does not end within
// timeout, the program is killed, and so is one that outlives its output. The exit status does not
// matter.
//
// Another goroutine may reap the program.
func Query(path, arg string, timeout time.Duration) (string, error) {
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
	// Not a pid: another goroutine may have reaped the child, and the kernel given its pid to
	// another process.
	child := -1
	_, err = syscall.ForkExec(path, []string{path, arg}, &syscall.ProcAttr{
		Env:   environment(Environ(), Ends{}),
		Files: []uintptr{null.Fd(), w.Fd(), null.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &child},
	})
	w.Close()
	if err != nil {
		return "", &os.PathError{Op: "exec", Path: path, Err: explain(path, err)}
	}
	defer killAndReap(child)
	_ = r.SetReadDeadline(time.Now().Add(timeout))
	answer, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = errors.New("more than " + strconv.Itoa(maxAnswer) + " bytes of output")
	}
	if err != nil {
		return "", wrap(path+" "+arg+": ", err, "")
	}
	return string(answer), nil
}

// killAndReap ends a child, a pidfd. Before Linux 5.4 there are none, and the child is left alone.
func killAndReap(child int) {
	if child < 0 {
		return
	}
	defer unix.Close(child)
	_ = unix.PidfdSendSignal(child, unix.SIGKILL, nil, 0)
	_ = unix.Waitid(unix.P_PIDFD, child, nil, unix.WEXITED, nil)
}
