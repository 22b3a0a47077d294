package ledger

import (
	"testing"
	"time"
)

// A Handle's clock follows CLOCK_BOOTTIME, although it reads that only now and then.
func TestTimeOfAHandle(t *testing.T) {
	var c clock
	last := c.now()
	for range 10_000 {
		before := Now()
		m := c.now()
		after := Now()
		if m.Boot < last.Boot || m.Boot < before.Boot-clockShift || m.Boot > after.Boot+clockShift {
			t.Fatalf("%v, after %v, between %v and %v", m.Boot, last.Boot, before.Boot, after.Boot)
		}
		last = m
	}
}

// A sleep of the machine puts CLOCK_BOOTTIME and the wall clock ahead of CLOCK_MONOTONIC. The next
// reading knows. So does one after the wall clock was set, and any a second later.
func TestTimeOfAHandleAfterASleep(t *testing.T) {
	for _, slept := range []time.Duration{2 * clockShift, time.Hour, 1000 * time.Hour} {
		var c clock
		c.now()
		c.boot -= slept // it is now as if the last reading had been before the sleep
		c.wall -= int64(slept)
		before := Now().Boot
		if got := c.now().Boot; got < before-clockShift {
			t.Errorf("after a sleep of %v it is %v behind", slept, before-got)
		}
	}
	var c clock
	c.now()
	c.boot -= time.Hour // slept, and the wall clock was set back by as much
	c.read = c.read.Add(-readBootEvery)
	c.wall -= int64(readBootEvery)
	before := Now().Boot
	if got := c.now().Boot; got < before-clockShift {
		t.Errorf("a second later it is %v behind", before-got)
	}
}
