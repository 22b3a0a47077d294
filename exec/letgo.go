package exec

import (
	"os"

	"golang.org/x/sys/unix"
)

// LetGo ends our part in the client's connection, for a process that has yet something to do when
// the client has its reply. Not by close(2) alone: systemd leaves us a further descriptor of the
// connection.
//
// The error is an *os.PathError about /dev/null, which fds 0 and 1 are from now on; then they stay
// what they were.
func (s *Stdio) LetGo() error {
	_ = unix.Shutdown(0, unix.SHUT_RDWR) // ENOTCONN: the client was faster
	if s.stderr > 2 {
		unix.Close(s.stderr)
		s.stderr = 0
	}
	fd, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	defer unix.Close(fd)
	for _, to := range []int{0, 1} {
		if err := unix.Dup3(fd, to, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	return nil
}
