package ledger

import (
	"bytes"
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// Process is a process as the ledger knows it: a session lives as long as its process.
type Process struct {
	PID    int
	Start  uint64 // clock ticks since boot; 0 where /proc cannot be read
	Shared bool   // it holds many sessions, and must not be signalled for one of them
}

// Self is the calling process, with one session.
func Self() Process {
	pid := unix.Getpid()
	start, _ := startTime(pid)
	return Process{PID: pid, Start: start}
}

// Identify is another process, for instance a child just started. It returns ESRCH if that process
// is dead, also if it is a zombie.
func Identify(pid int) (Process, error) {
	if pid <= 0 || pid > maxPID {
		return Process{}, unix.ESRCH
	}
	start, err := startTime(pid)
	if err == errDead {
		return Process{}, unix.ESRCH
	}
	return Process{PID: pid, Start: start}, nil // Start is 0 if /proc cannot be read
}

// Open returns a pidfd of exactly that process, which is readable once the process has ended. The
// start time is compared while the pidfd holds the pid, so that a process with a reused pid is
// never hit. It returns ESRCH if the process is gone. Linux 5.3 or later.
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

// Signal sends the signal to exactly that process, as Open finds it.
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

// errDead says that the process is gone or a zombie.
var errDead = errors.New("process is dead")

// startTime reads field 22 of /proc/PID/stat. Any error but errDead says that /proc cannot be read.
func startTime(pid int) (uint64, error) {
	var text [512]byte
	rest := readStat(pid, text[:])
	switch {
	case len(rest) == 0 && unix.Kill(pid, 0) == unix.ESRCH:
		return 0, errDead
	case len(rest) == 0:
		return 0, unix.ENOENT
	case rest[0] == 'X' || rest[0] == 'Z' && field(rest, 20) < 2:
		// A zombie with other threads is in the middle of an execve that one of them called.
		return 0, errDead
	}
	return field(rest, 22), nil
}

// field is field n of /proc/PID/stat, of which rest begins with the third; 0 if it is missing.
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

// processIsStopped says whether a signal or a debugger has stopped the process.
func processIsStopped(pid int) bool {
	var text [512]byte
	rest := readStat(pid, text[:])
	return len(rest) > 0 && (rest[0] == 'T' || rest[0] == 't')
}

// flockHolder is the process that holds the flock(2) lock of the file behind fd (proc(5),
// /proc/locks); 0 = unknown.
func flockHolder(fd int) int {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0
	}
	inode := []byte(":" + strconv.FormatUint(st.Ino, 10))
	text := make([]byte, 1<<16) // the beginning of a longer list
	for line := range bytes.Lines(text[:readLong("/proc/locks", text)]) {
		// 1: FLOCK  ADVISORY  WRITE 4242 fe:00:131077 0 EOF
		// The lines of waiting processes have an arrow after the number.
		f := bytes.Fields(line)
		if len(f) > 5 && string(f[1]) == "FLOCK" && bytes.HasSuffix(f[5], inode) {
			pid, _ := strconv.Atoi(string(f[4]))
			return pid
		}
	}
	return 0
}

// readStat reads /proc/PID/stat into text and returns it from its third field on, the state;
// nothing if it cannot be read. The second field is the program's name in parentheses, which may
// contain any character, so it ends with the last parenthesis.
func readStat(pid int, text []byte) []byte {
	var name [32]byte
	path := append(name[:0], "/proc/"...)
	path = strconv.AppendInt(path, int64(pid), 10)
	path = append(path, "/stat"...)
	n := readFile(string(path), text)
	return text[min(n, bytes.LastIndexByte(text[:n], ')')+len(") ")):n]
}

// readLong is readFile for a file that the kernel returns in parts of a page at most.
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

// readFile reads the beginning of a small file into b and returns its length; 0 if it cannot be
// opened or read.
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
