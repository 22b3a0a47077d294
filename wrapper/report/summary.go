package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/loglines"
)

// Row is one thing to know.
type Row struct{ Label, Text string }

// Summary is what to read first: ten rows at most that are read in half a minute.
func (r *Report) Summary() (rows []Row) {
	add := func(label, format string, args ...any) {
		rows = append(rows, Row{label, fmt.Sprintf(format, args...)})
	}
	add("served", "%s%s", r.share(r.Served), r.of(decide.Verdict.Served, VerdictFact.enforced))
	add("refused", "%s%s", r.share(r.Refused), r.of(refusedAtDoor, VerdictFact.enforced))
	if r.Observed > 0 {
		add("observed", "%s of the served would be refused%s", group(r.Observed),
			r.of(refusedAtDoor, func(f VerdictFact) int { return f.Observed }))
	}
	add("left", "%s within the greet delay", r.share(r.Left))
	if said := r.of(decide.Verdict.Refuses, byGuard); said != "" {
		add("guard", "%s", strings.TrimPrefix(said, ": "))
	}
	if b := r.Blocks; b.New > 0 {
		add("blocks", "%s", blocksText(b))
	}
	if r.Mistaken > 0 {
		add("mistakes?", "%s", r.mistakesText())
	}
	if r.Changes != nil {
		add("changed", "%s", r.Changes.text())
	}
	if said := r.Trouble.text(); said != "" {
		add("trouble", "%s", said)
	}
	for i, a := range r.Advice {
		if i == 2 || len(rows) == 10 {
			break
		}
		add("mend", "%s   # %s", a.Line, a.Why)
	}
	return rows
}

// share is a number of connections, and their part of all.
func (r *Report) share(n int) string {
	return fmt.Sprintf("%s (%.1f %%)", group(n), percent(n, r.Connections))
}

// enforced is how often the door has reached the verdict, and it held.
func (f VerdictFact) enforced() int { return f.Count - f.Guard - f.Observed }

func byGuard(f VerdictFact) int { return f.Guard }

// of lists such verdicts with their counts, the largest first; "" if there is none.
func (r *Report) of(such func(decide.Verdict) bool, count func(VerdictFact) int) string {
	type item struct {
		word string
		n    int
	}
	var items []item
	for _, f := range r.Verdicts {
		v, _ := loglines.VerdictOf(f.Verdict)
		if n := count(f); n > 0 && such(v) {
			items = append(items, item{f.Verdict, n})
		}
	}
	slices.SortStableFunc(items, func(a, b item) int { return cmp.Compare(b.n, a.n) })
	texts := make([]string, len(items))
	for i, x := range items {
		texts[i] = x.word + " " + group(x.n)
	}
	if len(texts) == 0 {
		return ""
	}
	return ": " + strings.Join(texts, ", ")
}

func blocksText(b Blocks) string {
	text := group(b.New) + " new"
	if b.ByHand > 0 {
		text += ", " + group(b.ByHand) + " of them by hand"
	}
	if b.Elsewhere > 0 {
		text += ", " + group(b.Elsewhere) + " of them on other machines"
	}
	last := b.Last[0]
	return fmt.Sprintf("%s; the last is %s, for %s, at %s", text, last.Network,
		cmp.Or(last.Reason, "no reason"), short(last.At))
}

func (r *Report) mistakesText() string {
	m := r.Mistakes[0]
	return fmt.Sprintf("%s refused, and served before or since; %s: %s %s, served %s, known %s",
		plural(r.Mistaken, "client was", "clients were"), clientName(m.Network),
		strings.TrimRight(m.Verdict+" "+m.Kind, " "), times(m.Refused),
		times(m.Before+m.After), times(m.Known))
}

// text names the verdicts that changed most: by 20 at least, and by a fifth.
func (c *Changes) text() string {
	list := slices.DeleteFunc(slices.Clone(c.Verdicts), func(x Change) bool {
		by := x.by()
		return by < 20 || by*5 < max(x.Last, x.Before)
	})
	slices.SortStableFunc(list, func(a, b Change) int { return cmp.Compare(b.by(), a.by()) })
	text := ""
	for _, x := range list[:min(4, len(list))] {
		text += fmt.Sprintf(", %s %s, was %s", x.Verdict, group(x.Last), group(x.Before))
	}
	if text == "" {
		text = ", nothing much"
	}
	return fmt.Sprintf("24 h to %s, against the day before: %s", short(c.Until), text[2:])
}

func (c Change) by() int { return max(c.Last-c.Before, c.Before-c.Last) }

// text names what went wrong; "" if nothing did.
func (t Trouble) text() string {
	open := 0
	for _, c := range t.Open {
		open += c.Count
	}
	return join([]counted{
		{t.Failed, "client was refused for a fault of ours (FAILED)",
			"clients were refused for a fault of ours (FAILED)"},
		{t.Ended, "MTA ended badly (ENDED)", "MTAs ended badly (ENDED)"},
		{t.OnBlock, "time on_block failed", "times on_block failed"},
		{open, "client met no limits (open=)", "clients met no limits (open=)"},
		{t.Silent, "client passed while DNS was silent", "clients passed while DNS was silent"},
		{t.Idle, "idle session was ended", "idle sessions were ended"},
		{t.Dropped, "block was dropped: too many", "blocks were dropped: too many"},
		{t.Words, "other line, see below", "other lines, see below"},
	})
}

// Quiet reports whether nothing happened: no client was refused, nothing was blocked, and there is
// no trouble.
func (r *Report) Quiet() bool {
	return r.Refused == 0 && r.Observed == 0 && r.Blocks.New == 0 && r.Trouble.text() == "" &&
		len(r.Advice) == 0 && r.of(decide.Verdict.Refuses, byGuard) == "" &&
		len(r.Unreadable.Files) == 0
}
