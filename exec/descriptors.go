package exec

import (
	"math"
	"strconv"

	"golang.org/x/sys/unix"
)

// CloseOnExec marks every descriptor from 3 up, so that execve(2) closes it and a failed one leaves
// it open. Nearly all are marked already; what is not came from our parent, who may not know of it
// either.
//
// [Stdio.Replace] does it by itself. Who uses [Stdio.Spawn] does it once at its start, opens
// everything with O_CLOEXEC from then on, and Spawn need not look at 20,000 descriptors for each
// MTA.
func CloseOnExec() {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	// Linux before 5.11, or a system call filter that has never heard of close_range(2).
	if closeOnExecListed() == nil {
		return
	}
	closeOnExecCounted()
}

// closeOnExecListed marks what /proc lists.
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

// closeOnExecCounted marks whatever is open below 65,536, without /proc. More can be open only
// where the hard limit allows it, which may be a thousand million: counting to there would take
// minutes of the client's time.
func closeOnExecCounted() {
	for fd := 3; fd < 1<<16; fd++ {
		unix.CloseOnExec(fd) // EBADF for most
	}
}
