package wrapper

import (
	"bytes"
	"encoding/binary"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// waitsForClient says whether a thread of the process waits for input on fd 0, and for nothing
// else. The kernel says in which system call each thread sleeps (proc_pid_syscall(5)). So an MTA
// that waits for its client differs from one that waits for a filter, a child or a lock; traffic
// does not show that.
func waitsForClient(pid int) bool {
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return false
	}
	for _, t := range threads {
		text, err := os.ReadFile(tasks + "/" + t.Name() + "/syscall")
		if err == nil && readsClient(pid, text) {
			return true
		}
	}
	return false
}

// readsClient says whether the system call waits for fd 0 alone. text is what /proc has: its
// number, then six arguments and two more numbers, or one word if the thread runs.
func readsClient(pid int, text []byte) bool {
	f := bytes.Fields(text)
	if len(f) < 7 {
		return false
	}
	number, err := strconv.Atoi(string(f[0]))
	var args [6]uint64
	for i := range args {
		n, err := strconv.ParseUint(string(f[1+i]), 0, 64)
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
