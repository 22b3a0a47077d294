package try

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// expectation is what must be seen of a scene.
type expectation struct {
	outcomes  []outcome // one for each reply that clients see
	verdicts  counts
	someKnown bool // any of those that PASS may be KNOWN instead
}

// outcome is that so many clients see a reply, and how long after their arrival.
type outcome struct {
	reply       string // as code has it
	clients     int
	least, most time.Duration
}

// counts are the verdicts given.
type counts map[decide.Verdict]int

// since is what the ledger has counted between two looks.
func since(before, after ledger.Totals) counts {
	c := counts{}
	for v := range after.Verdicts {
		if n := int(after.Verdicts[v] - before.Verdicts[v]); n != 0 {
			c[decide.Verdict(v)] = n
		}
	}
	return c
}

// String lists the verdicts, those first that come last in the decision: PASS, or 5 PASS, 15 CONNS.
func (c counts) String() string {
	var words []string
	for _, v := range slices.Backward(decide.Verdicts()) {
		switch n := c[v]; {
		case n == 1 && len(c) == 1:
			return v.String()
		case n != 0:
			words = append(words, fmt.Sprintf("%d %v", n, v))
		}
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// judge says what was seen that should not have been, or was not that should.
func (e expectation) judge(sights []sight, verdicts counts) (wrong []string) {
	seen := map[string]int{}
	for _, s := range sights {
		reply := code(s.reply)
		if seen[reply]++; seen[reply] == 1 && !e.expects(reply) {
			wrong = append(wrong, fmt.Sprintf("saw %q; want %s", s.reply, e.replies()))
		}
		if s.err != nil {
			wrong = append(wrong, s.err.Error())
		}
	}
	for _, o := range e.outcomes {
		if n := seen[o.reply]; n != o.clients {
			wrong = append(wrong, fmt.Sprintf("%d saw %s; want %d", n, o.reply, o.clients))
		}
		wrong = append(wrong, o.inTime(sights)...)
	}
	got, want := maps.Clone(verdicts), e.verdicts.String()
	if e.someKnown {
		got[decide.Pass] += got[decide.Known]
		delete(got, decide.Known)
		want = strings.Replace(want, "PASS", "PASS or KNOWN", 1)
	}
	if !maps.Equal(got, e.verdicts) {
		wrong = append(wrong, fmt.Sprintf("the ledger counts %s; want %s", verdicts, want))
	}
	return wrong
}

func (e expectation) expects(reply string) bool {
	return slices.ContainsFunc(e.outcomes, func(o outcome) bool { return o.reply == reply })
}

// replies lists what may be seen.
func (e expectation) replies() string {
	var list []string
	for _, o := range e.outcomes {
		list = append(list, o.reply)
	}
	return strings.Join(list, " or ")
}

// inTime holds the quickest and the slowest client that saw this reply to the bounds.
func (o outcome) inTime(sights []sight) (wrong []string) {
	least, most := o.most, o.least
	for _, s := range sights {
		if code(s.reply) == o.reply {
			least, most = min(least, s.took), max(most, s.took)
		}
	}
	if least < o.least {
		wrong = append(wrong, fmt.Sprintf("%s came after %s; want no less than %s", o.reply, inSeconds(least), inSeconds(o.least)))
	}
	if most > o.most {
		wrong = append(wrong, fmt.Sprintf("%s came after %s; want no more than %s", o.reply, inSeconds(most), inSeconds(o.most)))
	}
	return wrong
}

// longest is how long the slowest client may take.
func (e expectation) longest() time.Duration {
	var d time.Duration
	for _, o := range e.outcomes {
		d = max(d, o.most)
	}
	return d
}

func inSeconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }
