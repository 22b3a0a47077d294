package exec

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Stdio is what the super-server gave us as fds 0, 1 and 2, and what became of it. The zero value
// has nothing to give back: its Replace hands on fds 1 and 2 as they are, its Spawn fd 2.
type Stdio struct {
	// StderrIsClient: fd 2 is the client's socket, or the one on which clients arrive, and points
	// at /dev/null until Replace. Log elsewhere. What Spawn starts gets its client as fd 2, but for
	// SetStderr.
	StderrIsClient bool

	// StdoutWasLost: fd 1 was closed or led elsewhere, so that the client would never have seen a
	// reply. It is the client's socket now. This is a fault of the super-server's configuration,
	// worth a warning.
	StdoutWasLost bool

	stderr int // where the client's fd 2 is kept meanwhile: fd 0, or a copy of its own
	mta    mtaStderr

	hears struct { // what our parent had us ignore, since the first Spawn
		sync.Mutex
		done bool
	}
}

// TakeStdio makes fds 1 and 2 what we need while we decide about the client on fd 0. Call it first
// thing, before anything can write to fd 2.
//
// inetd and xinetd give the client's socket as fd 2 too: then a panic, or whatever else writes to
// stderr, would be read by the client as SMTP. Such an fd 2 points at /dev/null until Replace,
// since before main if the program was built so (entry.go). One that leads elsewhere (a terminal, a
// log file, the journal's own socket) is left alone. An fd 1 that is not the client's is made so.
//
// inetd `wait`, and systemd with Accept=no and StandardInput=socket, give a listening socket as fds
// 0, 1 and 2 alike. That fd 2 is hidden just so: nobody could read it, but for their MTA it means
// its client, as it would under `nowait`. There is no client yet whose replies fd 1 could lose: it
// is left alone.
//
// It needs no free descriptor as long as fds 0 and 2 are the same socket, as they are under every
// super-server: so it works with a RLIMIT_NOFILE of 3. Where fd 0 is no socket fd 1 is left alone.
//
// The Stdio is never nil. On error, an *os.PathError about /dev/null or an *os.SyscallError, fds 1
// and 2 may still be as they were; go on, and if StderrIsClient never write to fd 2.
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
		if err := unix.Dup3(0, 1, 0); err != nil {
			return s, os.NewSyscallError("dup3", err)
		}
		s.StdoutWasLost = true
	}
	return s, nil
}

// keepStderr sees to it that the socket on fd 2 outlives our pointing fd 2 elsewhere. If it is not
// fd 0's and no descriptor is free for a copy, the MTA's fd 2 will be fd 0's: some client's it was
// anyway.
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
		// No room for a third descriptor beside 0, 1 and 2: then fd 2 itself makes room, and
		// open(2) takes the lowest number that is free.
		unix.Close(2)
		if fd, err = unix.Open(os.DevNull, mode, 0); err != nil {
			unix.Dup3(s.stderr, 2, 0) // a closed fd 2 would become the next file we open: worse
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

// isClient says whether fd leads to a client: it is the very socket on fd 0, or any other of an
// internet family, since nobody but a client is at the other end of such a one. A local socket that
// is not fd 0 is a log, as systemd's journal.
func isClient(fd int, client *unix.Stat_t) bool {
	if isSocket(client) && isSame(fd, client) {
		return true
	}
	family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	return err == nil && (family == unix.AF_INET || family == unix.AF_INET6)
}

// isListening says whether clients arrive on fd, instead of its being one.
func isListening(fd int) bool {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && on != 0
}

// isSame says whether fd is the file that st describes. For a socket that means the same open file
// description too, as a socket cannot be opened a second time.
func isSame(fd int, st *unix.Stat_t) bool {
	var other unix.Stat_t
	return unix.Fstat(fd, &other) == nil && other.Dev == st.Dev && other.Ino == st.Ino
}

func isSocket(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFSOCK }
