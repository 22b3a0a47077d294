package ledger

import (
	"bytes"
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// Process is what a session lives and dies with.
type Process struct {
	PID    int
	Start  uint64 // clock ticks since boot; 0 where /proc cannot be read
	Shared bool   // it holds many sessions: not to be signalled for one of them
}

// Self is the calling process, alone with its session.
func Self() Process {
	pid := unix.Getpid()
	start, _ := startTime(pid)
	return Process{PID: pid, Start: start}
}

// Identify is another process, a child just started for instance. It returns ESRCH if that is
// dead, be it a zombie or no more.
func Identify(pid int) (Process, error) {
	if pid <= 0 || pid > maxPID {
		return Process{}, unix.ESRCH
	}
	start, err := startTime(pid)
	if err == errDead {
		return Process{}, unix.ESRCH
	}
	return Process{PID: pid, Start: start}, nil // of unknown start where /proc cannot tell
}

// Open returns a pidfd of that very process, which is readable once it has ended. The start time is
// compared while the pidfd holds the pid, so that one handed on meanwhile is never hit. It returns
// ESRCH if the process is gone. Linux 5.3 or later.
func (p Process) Open() (pidfd int, err error) {
	if pidfd, err = unix.PidfdOpen(p.PID, 0); err != nil {
		return -1, err
	}
	start, err := startTime(p.PID)
	if err == errDead || err == nil && start != p.Start {
		err = unix.ESRCH
	}
	if err != nil {
		unix.Close(pidfd)
		return -1, err
	}
	return pidfd, nil
}

// Signal sends the signal to that very process, as Open finds it.
func (p Process) Signal(sig unix.Signal) error {
	pidfd, err := p.Open()
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	return unix.PidfdSendSignal(pidfd, sig, nil, 0)
}

// maxPID is the kernel's own bound (proc(5), pid_max: 2^22).
const maxPID = 1 << 22

// errDead says that there is no such process any more, or only its zombie.
var errDead = errors.New("process is dead")

// startTime reads field 22 of /proc/PID/stat. errDead says that there is no such
// process or only its zombie; any other error that /proc cannot tell.
func startTime(pid int) (uint64, error) {
	var text [512]byte
	rest := readStat(pid, text[:])
	switch {
	case len(rest) == 0 && unix.Kill(pid, 0) == unix.ESRCH:
		return 0, errDead
	case len(rest) == 0:
		return 0, unix.ENOENT
	case rest[0] == 'X' || rest[0] == 'Z' && field(rest, 20) < 2:
		// A zombie with other threads is in the midst of execve, called by one of these.
		return 0, errDead
	}
	return field(rest, 22), nil
}

// field is a number of /proc/PID/stat, given from its third field on; 0 if it is not there.
func field(rest []byte, n int) (value uint64) {
	for range n - 3 {
		space := bytes.IndexByte(rest, ' ')
		if space < 0 {
			return 0
		}
		rest = rest[space+1:]
	}
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		value = value*10 + uint64(c-'0')
	}
	return value
}

// processIsStopped says whether the process is, by a signal or a debugger.
func processIsStopped(pid int) bool {
	var text [512]byte
	rest := readStat(pid, text[:])
	return len(rest) > 0 && (rest[0] == 'T' || rest[0] == 't')
}

// flockedBy is the process that has the flock(2) of the file behind fd (proc(5),
// /proc/locks); 0 if that cannot be told.
func flockedBy(fd int) int {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0
	}
	inode := []byte(":" + strconv.FormatUint(st.Ino, 10))
	text := make([]byte, 1<<16) // of a longer list the beginning
	for line := range bytes.Lines(text[:readLong("/proc/locks", text)]) {
		// 1: FLOCK  ADVISORY  WRITE 4242 fe:00:131077 0 EOF; those who wait have an arrow behind
		// the number
		f := bytes.Fields(line)
		if len(f) > 5 && string(f[1]) == "FLOCK" && bytes.HasSuffix(f[5], inode) {
			pid, _ := strconv.Atoi(string(f[4]))
			return pid
		}
	}
	return 0
}

// readStat reads /proc/PID/stat into text and returns it from its third field on, the
// state; nothing where it cannot be read. The second field is the program's name in
// parentheses, which may hold anything, so it ends with the last one.
func readStat(pid int, text []byte) []byte {
	var name [32]byte
	path := append(name[:0], "/proc/"...)
	path = strconv.AppendInt(path, int64(pid), 10)
	path = append(path, "/stat"...)
	n := readFile(string(path), text)
	return text[min(n, bytes.LastIndexByte(text[:n], ')')+len(") ")):n]
}

// readLong is readFile for a file of which the kernel gives no more than a page at a time.
func readLong(path string, b []byte) (n int) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	for n < len(b) {
		some, err := unix.Read(fd, b[n:])
		if some <= 0 || err != nil {
			break
		}
		n += some
	}
	return n
}

// readFile reads the beginning of a small file into b and says how much: nothing where
// it cannot be opened or read.
func readFile(path string, b []byte) int {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, b)
	if err != nil {
		return 0
	}
	return n
}
