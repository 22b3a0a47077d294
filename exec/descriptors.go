package exec

import (
	"math"
	"strconv"

	"golang.org/x/sys/unix"
)

// CloseOnExec marks every descriptor from 3 up: execve(2) closes it, and a failed execve leaves it
// open. Most are marked already; the others come from our parent.
//
// [Stdio.Replace] calls it. A program that uses [Stdio.Spawn] calls it once, at its start, and
// opens everything with O_CLOEXEC from then on: Spawn need not look at 20,000 descriptors for each
// MTA.
func CloseOnExec() {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	// Linux before 5.11, or a system call filter that does not know close_range(2).
	if closeOnExecListed() == nil {
		return
	}
	closeOnExecCounted()
}

// closeOnExecListed marks the descriptors that /proc lists.
func closeOnExecListed() error {
	dir, err := unix.Open("/proc/self/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	for buf := make([]byte, 4096); ; {
		n, err := unix.ReadDirent(dir, buf)
		if err != nil || n == 0 {
			return err
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			if fd, err := strconv.Atoi(name); err == nil && fd > 2 {
				unix.CloseOnExec(fd)
			}
		}
	}
}

// closeOnExecCounted works without /proc. It stops at 65,536: the hard limit can be a thousand
// million, and the client would wait for minutes.
func closeOnExecCounted() {
	for fd := 3; fd < 1<<16; fd++ {
		unix.CloseOnExec(fd) // EBADF for most
	}
}
