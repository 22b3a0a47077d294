package admin

import (
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/resolve"
)

// dnsTime is how long check waits for DNS at most.
const dnsTime = 5 * time.Second

// await has resolvers ask until all is done. Each question ends by its own time, so that await does
// too; later than end it does not wait in any case.
func await(all []*resolve.Resolver, end time.Time, done func() bool) {
	for !done() && time.Now().Before(end) {
		wake := end
		var fds []unix.PollFd
		for _, r := range all {
			if due := r.Due(); !due.IsZero() && due.Before(wake) {
				wake = due
			}
			if fd := r.FD(); fd >= 0 {
				fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
			}
		}
		// Rounded up, so that what is due is due when poll returns.
		timeout := max(0, time.Until(wake)+time.Millisecond-1) / time.Millisecond
		_, _ = unix.Poll(fds, int(timeout)) // EINTR: the loop goes on
		for _, r := range all {
			r.Handle()
		}
	}
}
