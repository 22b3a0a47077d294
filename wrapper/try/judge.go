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
	outcomes  []outcome // one for each reply
	verdicts  counts
	someKnown bool // KNOWN may stand for any PASS
}

// outcome is a reply that a number of clients must see, and when.
type outcome struct {
	reply       string // as code returns it
	clients     int
	least, most time.Duration // after the client's arrival
}

// counts says how often each verdict was given.
type counts map[decide.Verdict]int

// since is what the ledger has counted between two readings.
func since(before, after ledger.Totals) counts {
	c := counts{}
	for v := range after.Verdicts {
		if n := int(after.Verdicts[v] - before.Verdicts[v]); n != 0 {
			c[decide.Verdict(v)] = n
		}
	}
	return c
}

// String lists the verdicts in reverse order of the decision: PASS, or 5 PASS, 15 CONNS.
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

// judge returns how the scene differs from what must be seen; nothing if it does not.
func (e expectation) judge(sights []sight, verdicts counts) (problems []string) {
	seen := map[string]int{}
	for _, s := range sights {
		reply := code(s.reply)
		if seen[reply]++; seen[reply] == 1 && !e.expects(reply) {
			problems = append(problems, fmt.Sprintf("saw %q; want %s", s.reply, e.replies()))
		}
		if s.err != nil {
			problems = append(problems, s.err.Error())
		}
	}
	for _, o := range e.outcomes {
		if n := seen[o.reply]; n != o.clients {
			problems = append(problems, fmt.Sprintf("%d saw %s; want %d", n, o.reply, o.clients))
		}
		problems = append(problems, o.inTime(sights)...)
	}
	got, want := maps.Clone(verdicts), e.verdicts.String()
	if e.someKnown {
		got[decide.Pass] += got[decide.Known]
		delete(got, decide.Known)
		want = strings.Replace(want, "PASS", "PASS or KNOWN", 1)
	}
	if !maps.Equal(got, e.verdicts) {
		problems = append(problems, fmt.Sprintf("the ledger counts %s; want %s", verdicts, want))
	}
	return problems
}

func (e expectation) expects(reply string) bool {
	return slices.ContainsFunc(e.outcomes, func(o outcome) bool { return o.reply == reply })
}

// replies lists what clients may see.
func (e expectation) replies() string {
	var list []string
	for _, o := range e.outcomes {
		list = append(list, o.reply)
	}
	return strings.Join(list, " or ")
}

// inTime checks the quickest and the slowest client that saw this reply.
func (o outcome) inTime(sights []sight) (problems []string) {
	least, most := o.most, o.least
	for _, s := range sights {
		if code(s.reply) == o.reply {
			least, most = min(least, s.took), max(most, s.took)
		}
	}
	if least < o.least {
		problems = append(problems, fmt.Sprintf("%s came after %s; want at least %s",
			o.reply, inSeconds(least), inSeconds(o.least)))
	}
	if most > o.most {
		problems = append(problems, fmt.Sprintf("%s came after %s; want at most %s",
			o.reply, inSeconds(most), inSeconds(o.most)))
	}
	return problems
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
