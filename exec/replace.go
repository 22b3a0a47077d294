package exec

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Ends are the two ends of the connection, IPv4-mapped IPv6 addresses unmapped, and the name that
// the server goes by.
type Ends struct {
	Client, Server netip.AddrPort
	Host           string
}

// Replace becomes the program argv[0], a path, with argv[1:] as its arguments and the base name of
// the path as its name. What else the program inherits is in the package comment. PATH is not
// searched.
//
// It returns only on failure, and then all is as it was before, so that the client can be told: fd
// 2 is hidden again, the signals are handled as before. (Only the options of the client's socket
// stay, and the soft RLIMIT_NOFILE of our start.) The error is an *os.PathError that says which
// program and why, errors.Is finds its errno; or an *os.SyscallError when the kernel refused a
// preparation.
func (s *Stdio) Replace(argv, environ []string, ends Ends) error {
	path, args, err := program(argv)
	if err != nil {
		return err
	}
	env := environment(environ, ends)
	prepare(0)
	CloseOnExec()

	// The mask is the thread's own: the thread that empties it must be the one that calls execve.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := defaultSignals()
	if err != nil {
		return err
	}
	defer before.restore()

	// As late as can be: from here on a panic may be read by the client.
	hide, err := s.showStderr()
	if err != nil {
		return err
	}
	err = unix.Exec(path, args, env)
	hide()
	return &os.PathError{Op: "exec", Path: path, Err: explain(path, err)}
}

// program is argv for execve(2): which file, and with which arguments.
func program(argv []string) (path string, args []string, err error) {
	if len(argv) == 0 || argv[0] == "" {
		return "", nil, &os.PathError{Op: "exec", Path: `""`, Err: unix.ENOENT}
	}
	path = argv[0]
	return path, append([]string{path[strings.LastIndexByte(path, '/')+1:]}, argv[1:]...), nil
}

// explain says what execve(2) means where its errno, read alone, sends the administrator the wrong
// way.
func explain(path string, err error) error {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return err
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("the file is there, but the interpreter or loader that it names is not: %w", err)
	case errors.Is(err, unix.ENOEXEC):
		return fmt.Errorf("%w: neither a program for this machine nor a script with its interpreter on the first line", err)
	case errors.Is(err, unix.EACCES) && st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return unix.EISDIR
	case errors.Is(err, unix.EACCES) && st.Mode&0o111 == 0:
		return fmt.Errorf("%w: the file is not executable", err)
	case errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("%w: too many processes (RLIMIT_NPROC of this user; systemd: TasksMax=)", err)
	}
	return err
}
