package room

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Whenever the tries come, no second has more starts than it may, and none is put off longer than it must.
func TestWindow(t *testing.T) {
	for _, n := range []int{1, 3, 100} {
		var w window
		w.resize(n)
		r := rand.New(rand.NewPCG(uint64(n), 7))
		now := time.Hour
		var starts []time.Duration
		for range 5000 {
			now += time.Duration(r.ExpFloat64() * float64(time.Second) / float64(n) / 3)
			within := 0
			for i := len(starts) - 1; i >= 0 && now-starts[i] < time.Second; i-- {
				within++
			}
			allowed := now >= w.opens()
			if allowed != (within < n) {
				t.Fatalf("n=%d: %d starts in the second before; allowed: %v", n, within, allowed)
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

// Of many like lines in a minute the first few are written; when it is over a line says how many were not.
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
