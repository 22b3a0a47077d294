package exec

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Ends are the two ends of a connection, without IPv4-mapped addresses, and our host name.
type Ends struct {
	Client, Server netip.AddrPort
	Host           string
}

// Replace becomes the program argv[0], a path, with the base name of the path as its name and
// argv[1:] as its arguments. PATH is not searched. The package comment says what the program
// inherits.
//
// It returns only on failure, so that the caller can refuse the client: fd 2 is hidden again, and
// signals are handled as before. (The options of the client's socket stay set, and the soft
// RLIMIT_NOFILE is the original one.) The error is an *os.PathError with the program and the
// reason, in which errors.Is finds the errno, or an *os.SyscallError if a preparation failed.
func (s *Stdio) Replace(argv, environ []string, ends Ends) error {
	path, args, err := program(argv)
	if err != nil {
		return err
	}
	env := environment(environ, ends)
	setSocketOptions(0)
	CloseOnExec()

	// See execute. The first lock of a process starts a thread, which costs the door much.
	if !keepsThread() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	before, err := defaultSignals()
	if err != nil {
		return err
	}
	defer before.restore()

	// As late as possible: from here on, the client can read the text of a panic.
	hide, err := s.showStderr()
	if err != nil {
		return err
	}
	err = execute(path, args, env)
	hide()
	return &os.PathError{Op: "exec", Path: path, Err: explain(path, err)}
}

// execute executes the program with an empty signal mask and the timer slack that we came with.
// Both belong to the calling thread, which must then call execve. So the goroutine is locked to it,
// or keepsThread, and all system calls here are raw.
func execute(path string, args, env []string) error {
	mask, err := emptyMask()
	if err != nil {
		return err
	}
	restoreTimerSlack()
	err = unix.Exec(path, args, env)
	restoreMask(mask)
	return err
}

// keepsThread reports whether the calling goroutine stays on its thread, though it is not locked to
// it, while it makes raw system calls alone. So it is if no other goroutine runs, and Go has one
// processor: then no other thread can take the goroutine, even if Go interrupts it, since a thread
// gives up the processor only to wait or in a system call that is not raw.
func keepsThread() bool { return runtime.GOMAXPROCS(0) == 1 && runtime.NumGoroutine() == 1 }

// program returns the file and the arguments for execve(2).
func program(argv []string) (path string, args []string, err error) {
	if len(argv) == 0 || argv[0] == "" {
		return "", nil, &os.PathError{Op: "exec", Path: `""`, Err: unix.ENOENT}
	}
	path = argv[0]
	return path, append([]string{path[strings.LastIndexByte(path, '/')+1:]}, argv[1:]...), nil
}

// explain adds the usual cause to an errno of execve(2) that would mislead an administrator.
func explain(path string, err error) error {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return err
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return wrap("its interpreter or loader does not exist: ", err, "")
	case errors.Is(err, unix.ENOEXEC):
		return wrap("", err, ": neither a program for this machine nor a #! script")
	case errors.Is(err, unix.EACCES) && st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return unix.EISDIR
	case errors.Is(err, unix.EACCES) && st.Mode&0o111 == 0:
		return wrap("", err, ": the file is not executable")
	case errors.Is(err, unix.EAGAIN):
		return wrap("", err, ": too many processes (RLIMIT_NPROC, or TasksMax= of systemd)")
	}
	return err
}
