package room

import "testing"

// A room's clock is CLOCK_MONOTONIC: another program's goes on from it.
func TestClockIsMonotonic(t *testing.T) {
	c := newClock()
	for range 10_000 {
		before := monotonic()
		now := c.now()
		after := monotonic()
		if now < before-20_000 || now > after+20_000 {
			t.Fatalf("%v, between %v and %v", now, before, after)
		}
	}
}
