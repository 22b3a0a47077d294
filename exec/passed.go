package exec

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	firstPassed = 3 // the first socket of sd_listen_fds(3)
	maxPassed   = 1024
	maxWarnings = 5
)

// Passed returns the sockets that a service manager has passed to this process (LISTEN_PID,
// LISTEN_FDS). It leaves out those for which check returns an error; warnings say why.
func Passed(check func(fd int) error) (fds []int, warnings []string) {
	pid, n := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	if n == "" {
		return nil, nil
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, []string{"LISTEN_FDS is meant for process " + strconv.Quote(pid) +
			", not for us; start sendwrap without a shell in between, or with exec"}
	}
	count, err := strconv.Atoi(n)
	if err != nil || count < 0 {
		return nil, []string{"LISTEN_FDS is " + strconv.Quote(n) + "; want a number"}
	}
	seen := map[[2]uint64]bool{}
	for fd := firstPassed; fd < firstPassed+min(count, maxPassed); fd++ {
		if err := check(fd); err != nil {
			if len(warnings) < maxWarnings {
				warnings = append(warnings, "fd "+strconv.Itoa(fd)+" of LISTEN_FDS: "+err.Error())
			}
			continue
		}
		if id := identity(fd); !seen[id] {
			seen[id] = true
			fds = append(fds, fd)
		}
	}
	return fds, warnings
}

func identity(fd int) [2]uint64 {
	var st unix.Stat_t
	_ = unix.Fstat(fd, &st)
	return [2]uint64{st.Dev, st.Ino}
}
