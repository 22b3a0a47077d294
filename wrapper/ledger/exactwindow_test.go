package ledger

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Never more than N arrive in any window of Per, and no client waits more than a sixteenth too
// long.
func TestExactWindow(t *testing.T) {
	for _, per := range []time.Duration{time.Second, time.Minute,
		7*time.Minute + 13*time.Millisecond, 24 * time.Hour} {
		for seed := range uint64(40) {
			rnd := rand.New(rand.NewPCG(seed, uint64(per)))
			checkWindow(t, rnd, 1+rnd.IntN(20), per)
		}
	}
}

// checkWindow plays random arrivals against one window and compares each answer with the list of
// all that got in.
func checkWindow(t *testing.T, rnd *rand.Rand, n int, per time.Duration) {
	t.Helper()
	var w window[uint16]
	var in []int64 // times of those that got in
	ms := per.Milliseconds()
	now := int64(1_700_000_000_000) + rnd.Int64N(ms)
	among := func(d int64) (count int) {
		for _, at := range in {
			if now-at < d {
				count++
			}
		}
		return count
	}
	for range 400 {
		switch rnd.IntN(10) {
		case 0:
			now += rnd.Int64N(2 * ms) // a pause
		case 1, 2, 3:
			now += rnd.Int64N(ms/16 + 2)
		default: // a burst
		}
		w.advance(now, per)
		if w.count() < n {
			w.add(1)
			in = append(in, now)
			if got := among(ms); got > n {
				t.Fatalf("%d in a window of %v; the limit is %d", got, per, n)
			}
		} else if longest := ms + ms/steps + 2*steps; among(longest) < n {
			t.Fatalf("refused with %d in %d ms; the limit is %d in %v", among(longest), longest, n,
				per)
		}
		if len(in) > 2*n {
			in = in[len(in)-n-1:]
		}
	}
}

// A count that would overflow its cell stays at the maximum.
func TestExactWindowOverflow(t *testing.T) {
	var w window[uint16]
	w.advance(1e12, time.Minute)
	for range 70000 {
		w.add(1)
	}
	if got := w.count(); got != 65535 {
		t.Errorf("70000 arrivals in one step count as %d; want 65535", got)
	}
}

// Clients of one network with limits of different length cannot clear each other's count.
func TestExactWindowOfTwoLengths(t *testing.T) {
	var w window[uint16]
	let := 0
	for now := int64(1_000_000); now < 1_000_000+600_000; now += 10_000 { // ten minutes
		per := time.Hour
		if now/10_000%2 == 0 {
			per = time.Minute
		}
		if w.advance(now, per); w.count() < 3 {
			w.add(1)
			let++
		}
	}
	if let != 3 {
		t.Errorf("%d were let in; want 3", let)
	}
	if w.advance(1_000_000+3*3_600_000, time.Minute); w.count() != 0 || w.per != 60_000 {
		t.Errorf("after hours it counts %d in %d ms", w.count(), w.per)
	}
}
