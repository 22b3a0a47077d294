package exec

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Where the sockets begin that a service manager passes (sd_listen_fds(3)), and how many are looked
// at.
const firstPassed, mostPassed = 3, 1024

// mostWrong is how many are told of that are not what they should be.
const mostWrong = 5

// Passed are the sockets that the environment promises (LISTEN_PID, LISTEN_FDS). What unfit finds
// to be no socket of the kind that is wanted is left out, and wrong says why of each. Nothing is
// promised to another process than ours.
func Passed(unfit func(fd int) error) (fds []int, wrong []string) {
	pid, n := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	if n == "" {
		return nil, nil
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, []string{fmt.Sprintf("LISTEN_FDS is meant for process %q, not for us; start sendwrap without a shell in between, or with exec", pid)}
	}
	count, err := strconv.Atoi(n)
	if err != nil || count < 0 {
		return nil, []string{fmt.Sprintf("LISTEN_FDS is %q; want a number", n)}
	}
	seen := map[[2]uint64]bool{}
	for fd := firstPassed; fd < firstPassed+min(count, mostPassed); fd++ {
		if err := unfit(fd); err != nil {
			if len(wrong) < mostWrong {
				wrong = append(wrong, fmt.Sprintf("fd %d of LISTEN_FDS: %v", fd, err))
			}
			continue
		}
		if id := identity(fd); !seen[id] {
			seen[id] = true
			fds = append(fds, fd)
		}
	}
	return fds, wrong
}

func identity(fd int) [2]uint64 {
	var st unix.Stat_t
	_ = unix.Fstat(fd, &st)
	return [2]uint64{st.Dev, st.Ino}
}
