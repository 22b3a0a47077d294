package exec

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Stdio is the state of fds 0, 1 and 2. With the zero value, Replace passes fds 1 and 2 on
// unchanged, and so does Spawn with fd 2.
type Stdio struct {
	// StderrIsClient: fd 2 is the client's socket, or one on which clients arrive. It points at
	// /dev/null until Replace: write the log elsewhere. The client of an MTA from Spawn becomes its
	// fd 2, unless SetStderr has changed that.
	StderrIsClient bool

	// StdoutReplaced: fd 1 was closed or another file, so that the client would not have seen a
	// reply. Now it is the client's socket. The configuration of the super-server is wrong: warn.
	StdoutReplaced bool

	stderr int // the original fd 2 if it is the client's: 0, or a copy
	stdout int // a copy of the original fd 1 if it was replaced; 0 = none
	mta    mtaStderr

	unignored struct { // see unignoreOnce
		sync.Mutex
		done bool
	}
}

// TakeStdio prepares fds 1 and 2 for the decision about the client on fd 0. Call it first, before
// anything can write to fd 2.
//
// Under inetd and xinetd, fd 2 is the client's socket: the client would read a panic, or anything
// else that is written to stderr, as SMTP. So fd 2 points at /dev/null until Replace, and even
// before main if HidesStderr. Any other fd 2 (a terminal, a log file, the journal's socket) is not
// changed. An fd 1 that is not the client's socket is replaced by it.
//
// Under inetd `wait`, and systemd with Accept=no and StandardInput=socket, fds 0, 1 and 2 are the
// listening socket. Such an fd 2 is hidden too, since it means that each client is fd 2 of its MTA,
// as under `nowait`. Fd 1 is not changed, since there is no client yet.
//
// If fds 0 and 2 are the same socket, as under every super-server, no free descriptor is needed: it
// works with an RLIMIT_NOFILE of 3. If fd 0 is not a socket, fd 1 is not changed.
//
// The Stdio is never nil. After an error, an *os.PathError about /dev/null or an *os.SyscallError,
// fds 1 and 2 may be unchanged. The caller can go on, but must not write to fd 2 if StderrIsClient.
func TakeStdio() (*Stdio, error) {
	s := new(Stdio)
	var client unix.Stat_t
	if err := unix.Fstat(0, &client); err != nil {
		return s, os.NewSyscallError("fstat", err)
	}
	switch {
	case stderrAt != 2:
		s.StderrIsClient, s.stderr = true, int(stderrAt)
	case isClient(2, &client):
		s.StderrIsClient = true
		s.keepStderr(&client)
		if err := s.hideStderr(); err != nil {
			return s, err
		}
	}
	if isSocket(&client) && !isListening(0) && !isClient(1, &client) {
		kept, keepErr := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
		if err := unix.Dup3(0, 1, 0); err != nil {
			return s, os.NewSyscallError("dup3", err)
		}
		s.StdoutReplaced = true
		if keepErr == nil { // else a descriptor is missing, or fd 1 was
			s.stdout = kept
		}
	}
	return s, nil
}

// keepStderr copies fd 2 if it is another socket than fd 0. Without a free descriptor, the MTA will
// get fd 0 instead: both are a client's.
func (s *Stdio) keepStderr(client *unix.Stat_t) {
	if isSame(2, client) {
		return
	}
	if fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3); err == nil {
		s.stderr = fd
	}
}

// hideStderr points fd 2 at /dev/null if it is the client's.
func (s *Stdio) hideStderr() error {
	if !s.StderrIsClient {
		return nil
	}
	const mode = unix.O_RDWR | unix.O_CLOEXEC
	fd, err := unix.Open(os.DevNull, mode, 0)
	if err == unix.EMFILE {
		// No descriptor is free beside 0, 1 and 2. Close fd 2: open(2) returns the lowest free one.
		unix.Close(2)
		if fd, err = unix.Open(os.DevNull, mode, 0); err != nil {
			unix.Dup3(s.stderr, 2, 0) // if fd 2 stayed closed, the next file we open would get it
		}
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	if fd == 2 {
		return nil
	}
	defer unix.Close(fd)
	return os.NewSyscallError("dup3", unix.Dup3(fd, 2, 0))
}

// CloseClient ends the connection of the client, for a process that goes on after its reply.
// close(2) is not enough: under systemd we have a further descriptor of the connection.
//
// Fds 0 and 1 then point at /dev/null. The error is an *os.PathError about /dev/null, and then they
// are not changed, or an *os.SyscallError.
func (s *Stdio) CloseClient() error {
	_ = unix.Shutdown(0, unix.SHUT_RDWR) // ENOTCONN: the client has closed it before
	if s.stderr > 2 {
		unix.Close(s.stderr)
		s.stderr = 0
	}
	fd, err := openDevNull(unix.O_RDWR)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if s.stdout > 0 {
		unix.Close(s.stdout)
		s.stdout = 0
	}
	for _, to := range []int{0, 1} {
		if err := unix.Dup3(fd, to, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	return nil
}

// openDevNull opens /dev/null. The error is an *os.PathError, and then fd is 0.
func openDevNull(mode int) (fd int, err error) {
	if fd, err = unix.Open(os.DevNull, mode|unix.O_CLOEXEC, 0); err != nil {
		return 0, &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	return fd, nil
}

// isClient reports whether a client is at the other end of fd: it is the socket of fd 0, or any
// internet socket. Another local socket is a log, such as systemd's journal.
func isClient(fd int, client *unix.Stat_t) bool {
	if isSocket(client) && isSame(fd, client) {
		return true
	}
	family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	return err == nil && (family == unix.AF_INET || family == unix.AF_INET6)
}

// isListening reports whether clients arrive on fd.
func isListening(fd int) bool {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && on != 0
}

// isSame reports whether fd is the file that st describes. A socket is then also the same open file
// description, since it cannot be opened a second time.
func isSame(fd int, st *unix.Stat_t) bool {
	var other unix.Stat_t
	return unix.Fstat(fd, &other) == nil && other.Dev == st.Dev && other.Ino == st.Ino
}

func isSocket(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFSOCK }
