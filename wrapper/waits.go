package wrapper

import (
	"encoding/binary"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// waitsForClient says whether a thread of the process waits for input on fd 0, and for nothing
// else. The kernel says in which system call each thread sleeps (proc_pid_syscall(5)). So an MTA
// that waits for its client differs from one that waits for a filter, a child or a lock; traffic
// does not show that.
func waitsForClient(pid int) bool {
	const enough = 256 // bytes of the text, which has at most 8 numbers of 18 digits
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	dir, err := unix.Open(tasks, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(dir)
	for buf := make([]byte, 4096); ; {
		n, err := unix.ReadDirent(dir, buf)
		if err != nil || n <= 0 {
			return false
		}
		_, _, threads := unix.ParseDirent(buf[:n], -1, nil)
		for _, thread := range threads {
			if readsClient(pid, readSome(tasks+"/"+thread+"/syscall", enough)) {
				return true
			}
		}
	}
}

// readsClient says whether the system call waits for fd 0 alone. text is what /proc has: its
// number, then six arguments and two more numbers, or one word if the thread runs.
func readsClient(pid int, text string) bool {
	f := strings.Fields(text)
	if len(f) < 7 {
		return false
	}
	number, err := strconv.Atoi(f[0])
	var args [6]uint64
	for i := range args {
		n, err := strconv.ParseUint(f[1+i], 0, 64)
		if err != nil {
			return false
		}
		args[i] = n
	}
	switch {
	case err != nil:
	case number == unix.SYS_READ, number == unix.SYS_READV,
		number == unix.SYS_RECVFROM, number == unix.SYS_RECVMSG:
		return args[0] == 0
	case number == sysSelect, number == unix.SYS_PSELECT6: // of the descriptors below 1
		return args[0] == 1 && args[1] != 0
	case number == sysPoll, number == unix.SYS_PPOLL: // of one descriptor
		return args[1] == 1 && pollsFirst(pid, uintptr(args[0]))
	}
	return false
}

// pollsFirst says whether the struct pollfd at this address in the process asks for input on fd 0.
func pollsFirst(pid int, at uintptr) bool {
	var b [8]byte // of them fd is four, events two
	ours := unix.Iovec{Base: &b[0]}
	ours.SetLen(len(b))
	theirs := unix.RemoteIovec{Base: at, Len: len(b)}
	n, err := unix.ProcessVMReadv(pid, []unix.Iovec{ours}, []unix.RemoteIovec{theirs}, 0)
	return err == nil && n == len(b) && binary.NativeEndian.Uint32(b[:]) == 0 &&
		binary.NativeEndian.Uint16(b[4:])&unix.POLLIN != 0
}
