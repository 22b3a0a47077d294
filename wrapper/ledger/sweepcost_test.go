//go:build !race

package ledger

import (
	"testing"
	"time"
)

// With a room of 20,000 a sweep costs far less than one that asks for each of them. What else the
// machine does only makes either slower, so their shortest times are compared.
// The race detector slows down the one and not the other.
func TestSessionsOfARoomAreSweptAtOnce(t *testing.T) {
	l, _ := roomOf(t, roomful, aRoom())
	sweep, asking := time.Hour, time.Hour
	for range 30 {
		sweep = min(sweep, timed(func() { must(t, l, sweepDue) }))
		asking = min(asking, timed(func() { askAll(l) }))
	}
	t.Logf("a sweep over %d sessions takes %v; asking for each of them %v", roomful, sweep, asking)
	if sweep > asking/3 {
		t.Errorf("a sweep takes %v; want a third of %v at most", sweep, asking)
	}
}
