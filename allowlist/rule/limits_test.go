package rule

import (
	"testing"
	"time"
)

// TestLimits: a limit that is set is read back, whatever else is set. Otherwise the fallback is.
func TestLimits(t *testing.T) {
	var l Limits
	names := map[string]bool{}
	for k := range Keys {
		if l.IsSet(k) || l.CountOr(k, 7) != 7 || l.TimeOr(k, time.Minute) != time.Minute ||
			l.RateOr(k, Rate{1, time.Hour}) != (Rate{1, time.Hour}) {
			t.Errorf("%s: something is set", k)
		}
		l.SetRate(k, Rate{int(k), time.Duration(k)}) // zero for the first, which is a value too
		if names[k.String()] || k.String() == "" || k.String() == "invalid" {
			t.Errorf("key %d is %q", k, k)
		}
		names[k.String()] = true
	}
	for k := range Keys {
		if !l.IsSet(k) || l.CountOr(k, 77) != int(k) || l.TimeOr(k, 77) != time.Duration(k) ||
			l.RateOr(k, Rate{77, 77}) != (Rate{int(k), time.Duration(k)}) {
			t.Errorf("%s: %d, %v, %v", k, l.CountOr(k, 77), l.TimeOr(k, 77),
				l.RateOr(k, Rate{77, 77}))
		}
	}
	l.SetCount(MaxRcpts, 0)
	l.SetTime(BadRcptDelay, time.Second)
	l.SetTime(BadRcptDelay, 0)
	if !l.IsSet(MaxRcpts) || l.CountOr(MaxRcpts, 5) != 0 ||
		l.TimeOr(BadRcptDelay, time.Second) != 0 {
		t.Error("0 is no value")
	}
	if s := Keys.String(); s != "invalid" {
		t.Errorf("one key too many is %q", s)
	}
}

func TestRateString(t *testing.T) {
	for _, tt := range []struct {
		rate Rate
		want string
	}{
		{Rate{}, "0"},
		{Rate{10, time.Minute}, "10/1m"},
		{Rate{65535, 24 * time.Hour}, "65535/24h"},
		{Rate{1, time.Second}, "1/1s"},
		{Rate{5, 90 * time.Second}, "5/1m30s"},
		{Rate{5, 90 * time.Minute}, "5/1h30m"},
		{Rate{5, time.Hour + 10*time.Second}, "5/1h0m10s"},
		{Rate{5, 1500 * time.Millisecond}, "5/1.5s"},
		{Rate{5, 10 * time.Minute}, "5/10m"},
		{Rate{5, 20 * time.Hour}, "5/20h"},
	} {
		if got := tt.rate.String(); got != tt.want {
			t.Errorf("%#v.String() = %s; want %s", tt.rate, got, tt.want)
		}
	}
}
