package maillog

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// Of each kind the first lines are written, then a line a minute says how many more there were,
// until a minute passes without any.
func TestLimiter(t *testing.T) {
	var l Limiter
	now := 5 * time.Hour
	allowed := func(n, most int, kind string) (got int) {
		for range n {
			if l.Allow(now, most, kind) {
				got++
			}
		}
		return got
	}
	reports := func(after time.Duration, more bool, want ...string) {
		t.Helper()
		now += after
		lines, gotMore := l.Report(now)
		if !slices.Equal(lines, want) || gotMore != more {
			t.Errorf("after %v: %q, more %v; want %q, %v", after, lines, gotMore, want, more)
		}
	}
	reports(0, false)
	if a, b := allowed(200, 5, "a"), allowed(3, 1, "b"); a != 5 || b != 1 {
		t.Errorf("%d and %d lines are written; want 5, 1", a, b)
	}
	reports(time.Minute-1, true)
	reports(1, true, "195 more a", "2 more b")

	// It goes on: no line is written, and the next report has all of them.
	reports(30*time.Second, true)
	if got := allowed(7, 5, "a"); got != 0 {
		t.Errorf("%d lines are written while it goes on; want none", got)
	}
	reports(30*time.Second, true, "7 more a")

	// A minute without any ends it.
	reports(time.Minute, false)
	if got := allowed(1, 5, "a"); got != 1 {
		t.Errorf("%d lines are written after a quiet minute; want 1", got)
	}
	reports(time.Minute, false)
}

// In a storm of two minutes only the first lines are written, and one more a minute.
func TestLimiterStorm(t *testing.T) {
	var l Limiter
	written, reported := 0, 0
	now := time.Hour
	for range 120 {
		for range 10 {
			if l.Allow(now, 5, "of them") {
				written++
			}
		}
		now += time.Second
		lines, _ := l.Report(now)
		reported += len(lines)
	}
	if written != 5 || reported != 2 {
		t.Errorf("%d lines are written, and %d about others; want 5, 2", written, reported)
	}
}

// Many kinds cost no more memory than a few, and their lines are counted, too.
func TestLimiterManyKinds(t *testing.T) {
	const kinds = 10 * maxKinds
	var l Limiter
	written := 0
	for i := range kinds {
		if l.Allow(0, 1, fmt.Sprint("kind ", i)) {
			written++
		}
	}
	if len(l.kinds) > maxKinds+1 || written != maxKinds+1 {
		t.Errorf("%d kinds are kept, and %d lines written", len(l.kinds), written)
	}
	lines, _ := l.Report(limitEvery)
	want := fmt.Sprintf("%d more %s", kinds-maxKinds-1, otherKinds)
	if !slices.Equal(lines, []string{want}) {
		t.Errorf("%q; want %q", lines, want)
	}
}
