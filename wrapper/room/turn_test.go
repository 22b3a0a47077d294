package room

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Whenever the tries come, no second has more starts than it may, and none is put off longer than
// it must. In a crowd so it is for each fiftieth of a second, or the time for one start.
func TestWindow(t *testing.T) {
	for _, n := range []int{1, 3, 100, 1000} {
		for _, crowd := range []bool{false, true} {
			var w window
			w.resize(n)
			r := rand.New(rand.NewPCG(uint64(n), 7))
			now := time.Hour
			var starts []time.Duration
			since := func(ago time.Duration) (within int) {
				for i := len(starts) - 1; i >= 0 && now-starts[i] < ago; i-- {
					within++
				}
				return within
			}
			part := max(1, n/parts)
			for range 5000 {
				now += time.Duration(r.ExpFloat64() * float64(time.Second) / float64(n) / 3)
				second, moment := since(time.Second), since(time.Second*time.Duration(part)/time.Duration(n))
				allowed := now >= w.opens(crowd)
				if allowed != (second < n && (!crowd || moment < part)) {
					t.Fatalf("n=%d, crowd %v: %d starts in the second before, %d in its part; allowed: %v",
						n, crowd, second, moment, allowed)
				}
				if allowed {
					w.note(now)
					starts = append(starts, now)
				}
			}
			if len(starts) < 500 {
				t.Errorf("n=%d: only %d starts", n, len(starts))
			}
		}
	}
}

// Of many like lines in a minute the first few are written; when it is over a line says how many
// were not.
func TestSeldom(t *testing.T) {
	r := testRoom(t, "127.0.0.1:0")
	s := seldom{others: "of them"}
	if !s.report(r) {
		t.Error("there is something to report before anything has happened")
	}
	written, told := 0, 0
	for range 120 {
		for range 10 {
			if s.allows(r.now) {
				written++
			}
		}
		r.now += time.Second
		if s.report(r) {
			told++
		}
	}
	if written != 2*seldomMost || told != 2 {
		t.Errorf("%d written, %d minutes told of; want %d, 2", written, told, 2*seldomMost)
	}
}
