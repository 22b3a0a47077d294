package guard

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The first remark of each kind is logged at once. After that a line a minute says how many more of
// that kind there were, and of no other.
func TestRemarks(t *testing.T) {
	p := build(t, rules)
	now := p.remarks.began
	before := 0
	says := func(after time.Duration, want ...string) {
		t.Helper()
		now = now.Add(after)
		p.remarks.report(now)
		lines := p.book.lines()
		lines, before = lines[before:], len(lines)
		for i, line := range lines {
			_, lines[i], _ = strings.Cut(line, "]: ")
		}
		if !slices.Equal(lines, want) {
			t.Errorf("after %v it says\n%q; want\n%q", after, lines, want)
		}
	}
	says(0)
	for i := range 1000 {
		p.remarks.note(fmt.Sprintf("process %d: first", i))
		if i%2 == 0 {
			p.remarks.note("second")
		}
	}
	p.remarks.note("third")
	says(0, "process 0: first", "second", "third")
	for range 57 {
		p.remarks.note("second")
		p.remarks.note("third")
		says(time.Second)
	}
	// The clock of the notes is the real one: an hour is more than enough.
	says(time.Hour, "556 more like this: second", "57 more like this: third",
		"999 more like this: process N: first")
	p.remarks.note("process 7: first")
	says(time.Second)
	says(time.Hour, "1 more like this: process N: first")
	says(time.Hour)
	p.remarks.note("third")
	says(0, "third")
}

// Neither a long remark nor many kinds cost much.
func TestManyRemarks(t *testing.T) {
	p := build(t, rules)
	for i := range 1000 {
		p.remarks.note(strings.Repeat("x", 1+i))
	}
	if n := len(p.book.lines()); n > 17 { // 16 kinds and all the others
		t.Errorf("%d lines", n)
	}
	p.remarks.report(p.remarks.began.Add(time.Hour))
	if n := len(p.book.lines(" more lines of other kinds")); n != 1 {
		t.Errorf("%d lines about the other kinds", n)
	}
	p.remarks.report(p.remarks.began.Add(2 * time.Hour))
	p.remarks.note(strings.Repeat("y", 10*maxRemark))
	lines := p.book.lines(strings.Repeat("y", maxRemark))
	if len(lines) != 1 || strings.Contains(lines[0], strings.Repeat("y", maxRemark+1)) {
		t.Errorf("%d bytes of a remark are logged: %q", maxRemark+1, lines)
	}
}
