package room

import (
	"math/rand/v2"
	"testing"
	"time"
)

// No second has more starts than spawn_rate, and no start comes later than necessary, whenever the
// tries come. In a crowd the same holds for each fiftieth of a second, or the time for one start.
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
			part := max(1, n/crowdParts)
			for range 5000 {
				now += time.Duration(r.ExpFloat64() * float64(time.Second) / float64(n) / 3)
				second := since(time.Second)
				moment := since(time.Second * time.Duration(part) / time.Duration(n))
				allowed := now >= w.opens(crowd)
				if allowed != (second < n && (!crowd || moment < part)) {
					t.Fatalf("n=%d, crowd %v: %d starts in the second before, "+
						"%d in its part; allowed: %v",
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
