package exec

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// DoorVariable is the variable by which a program says to the one that it becomes why it does so.
// Neither MTAs nor hooks get it.
const DoorVariable = "SENDWRAP_DOOR"

// Become becomes another program of ours, which has no part in what the first one did: it gets the
// arguments, the environment and the descriptors as they came to us, fd 2 too if it is hidden, and
// DoorVariable with this value. Our pid and its start time stay, and so do the original
// RLIMIT_NOFILE, the signal mask and ignored signals. A Go program handles or unblocks some signals
// whatever its parent did: of those it finds what any Go program would make of them.
//
// Call it after TakeStdio, and neither after SetStderr nor after Replace: these mark all
// descriptors close-on-exec, also sockets from systemd.
//
// It returns only on failure, so that the caller can refuse the client: fds 1 and 2 are then as
// before, and the soft RLIMIT_NOFILE is the original one. The error is an *os.PathError with the
// program and the reason, in which errors.Is finds the errno, or an *os.SyscallError if a
// preparation failed. (If memory ends while the kernel maps the new program, the old one is gone
// already: the kernel ends the process, and the client sees the end of its connection.)
func (s *Stdio) Become(path, value string) error {
	environ := append(without(Environ(), DoorVariable), DoorVariable+"="+value)
	hide, err := s.showBoth()
	if err != nil {
		return err
	}
	// Without LockOSThread: it starts a thread, and if there is none, the client reads Go's error.
	restoreTimerSlack()
	err = unix.Exec(path, os.Args, environ)
	hide()
	return &os.PathError{Op: "exec", Path: path, Err: explain(path, err)}
}

// without is an environment without the variable. It uses the memory of environ.
func without(environ []string, name string) []string {
	kept := environ[:0]
	for _, entry := range environ {
		if key, _, _ := strings.Cut(entry, "="); key != name {
			kept = append(kept, entry)
		}
	}
	return kept
}

// showBoth makes fds 1 and 2 what they were before TakeStdio. hide undoes it.
func (s *Stdio) showBoth() (hide func(), err error) {
	hide = func() {
		if s.stdout > 0 {
			_ = unix.Dup3(0, 1, 0)
		}
		_ = s.hideStderr()
	}
	if s.stdout > 0 {
		if err := unix.Dup3(s.stdout, 1, 0); err != nil {
			return nil, os.NewSyscallError("dup3", err)
		}
	}
	if s.StderrIsClient {
		if err := unix.Dup3(s.stderr, 2, 0); err != nil {
			hide()
			return nil, os.NewSyscallError("dup3", err)
		}
	}
	return hide, nil
}
