package decide

import (
	"strings"
	"testing"
	"time"
)

// The advice is for the delay that the clients suggest, and says if that cannot be known.
func TestAdviseDelay(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		early           []time.Duration // of 20 clients each
		longest, common time.Duration
		want            time.Duration
		why             string
	}{
		{nil, 6 * time.Second, 6 * time.Second, 0, "0 clients that spoke or left are too few"},
		{[]time.Duration{100 * ms, 200 * ms}, 6 * time.Second, 6 * time.Second, 0, "40 clients"},
		{[]time.Duration{100 * ms, 200 * ms, 300 * ms}, 6 * time.Second, 6 * time.Second,
			time.Second, "1s catches 100 % of what 6s does, and honest clients wait less"},
		{[]time.Duration{100 * ms, 200 * ms, 2050 * ms}, 6 * time.Second, 6 * time.Second,
			3 * time.Second, "3s catches 100 %"},
		// The last quarter of the delay is its end: they need not be all of those that speak late.
		{[]time.Duration{100 * ms, 200 * ms, 4450 * ms}, 6 * time.Second, 6 * time.Second,
			5 * time.Second, "5s catches"},
		{[]time.Duration{100 * ms, 200 * ms, 4550 * ms}, 6 * time.Second, 6 * time.Second,
			0, "clients still speak at the end of 6s: observe with a longer delay"},
		{[]time.Duration{100 * ms, 200 * ms, 650 * ms}, time.Second, time.Second, 0,
			"1s is right: it catches 100 % of what 1s does"},
		{[]time.Duration{100 * ms, 200 * ms, 1900 * ms}, 20 * time.Second, 2 * time.Second, 0,
			"2s is right: it catches 100 % of what 20s does"},
		{[]time.Duration{100 * ms, 200 * ms, 1900 * ms}, 20 * time.Second, time.Second,
			2 * time.Second, "2s catches 100 % of what 20s does, and most clients wait only 1s"},
		{[]time.Duration{100 * ms, 200 * ms, 300 * ms}, 700 * ms, 700 * ms, 0, "700ms is right"},
		{[]time.Duration{9 * ms, 9 * ms, 9 * ms}, 50 * ms, 50 * ms, 0, "clients still speak"},
	} {
		early := func(by time.Duration) (n int) {
			for _, at := range tt.early {
				if at < by {
					n += 20
				}
			}
			return n
		}
		got, why := AdviseDelay(early, tt.longest, tt.common)
		if got != tt.want || !strings.HasPrefix(why, tt.why) {
			t.Errorf("%v within %v: %v, %q; want %v, %q", tt.early, tt.longest, got, why, tt.want,
				tt.why)
		}
	}
}
