package room

import (
	"time"

	"golang.org/x/sys/unix"
)

// clock tells the time of CLOCK_MONOTONIC without a system call: Go reads that clock so, but does
// not say what it reads.
type clock struct {
	read time.Time     // when it was made
	at   time.Duration // CLOCK_MONOTONIC then
}

// newClock reads both clocks, again if we lost the processor meanwhile: the times of waiting
// clients are handed to another program's clock.
func newClock() (c clock) {
	const together = 20 * time.Microsecond
	for range 10 {
		c = clock{time.Now(), monotonic()}
		if time.Since(c.read) < together {
			break
		}
	}
	return c
}

func (c *clock) now() time.Duration { return c.at + time.Since(c.read) }

// monotonic is the time of CLOCK_MONOTONIC, which cannot be set and is the same for all programs.
func monotonic() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail
	return time.Duration(ts.Nano())
}
