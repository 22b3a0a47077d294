package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sendwrap/allowlist/rule"
)

// maxColumns is how long a line of the text is at most.
const maxColumns = 100

// text writes a report as text.
type text struct {
	*bufio.Writer
	r *Report
}

// Text writes the report as text: what to know on top, then the tables.
func (r *Report) Text(w io.Writer) error {
	t := text{bufio.NewWriter(w), r}
	t.summary()
	t.mistakes()
	t.blocks()
	t.hours()
	for _, table := range r.tables() {
		t.counts(table)
	}
	t.delay()
	t.waits()
	for i, line := range r.sources() {
		if i == 0 {
			t.line("")
		}
		t.WriteString(strings.Join(wrap(line, maxColumns-2), "\n  ") + "\n") // a path whole
	}
	return t.Flush()
}

// line writes a line, cut to maxColumns.
func (t text) line(format string, args ...any) {
	line := []rune(strings.TrimRight(fmt.Sprintf(format, args...), " "))
	if len(line) > maxColumns {
		line = append(line[:maxColumns-3], '.', '.', '.')
	}
	t.WriteString(string(line) + "\n")
}

// summary is what to read first.
func (t text) summary() {
	r := t.r
	if r.Lines == 0 {
		t.line("no line of sendwrap in this time, or in these logs")
		return
	}
	t.line("sendwrap, %s to %s: %s connections",
		short(r.From), r.Until.Format("2 Jan 2006 15:04"), group(r.Connections))
	t.line("")
	for _, row := range r.Summary() {
		label := row.Label
		for _, part := range wrap(row.Text, maxColumns-summaryIndent) {
			t.line("%-*s%s", summaryIndent, label, part)
			label = ""
		}
	}
}

const summaryIndent = 10

// mistakes lists clients that were refused and served.
func (t text) mistakes() {
	if len(t.r.Mistakes) == 0 {
		return
	}
	t.head(partOf("refused and served: mistakes?", t.r.Mistaken, len(t.r.Mistakes)))
	t.line("  %-24s %7s  %-18s %-13s %7s %7s %7s", "client", "refused", "last", "at",
		"before", "since", "known")
	for _, m := range t.r.Mistakes {
		t.line("  %-24s %7s  %-18s %-13s %7s %7s %7s", clientName(m.Network), group(m.Refused),
			strings.TrimRight(m.Verdict+" "+m.Kind, " "), short(m.At),
			group(m.Before), group(m.After), group(m.Known))
	}
}

func (t text) blocks() {
	if len(t.r.Blocks.Last) == 0 {
		return
	}
	t.head(partOf("new blocks", t.r.Blocks.New, len(t.r.Blocks.Last)))
	for _, b := range t.r.Blocks.Last {
		t.line("  %-13s %-26s %8s  %s", short(b.At), b.Network,
			rule.FormatDuration(time.Duration(b.Seconds)*time.Second), b.why())
	}
}

// head is the title of a table.
func (t text) head(title string) { t.line("\n%s", title) }

// partOf is the title of a table that may not have all rows.
func partOf(title string, all, shown int) string {
	if all > shown {
		title += fmt.Sprintf(" (%d of %s)", shown, group(all))
	}
	return title
}

// maxVerdicts is how many columns of verdicts fit.
const maxVerdicts = 8

// hours lists the verdicts by hour or day.
func (t text) hours() {
	if len(t.r.Hours) < 2 {
		return
	}
	columns := t.r.columns(maxVerdicts)
	format, title := "2 Jan 15:04", "by hour"
	if t.r.HourLength == 24 {
		format, title = "Mon 2 Jan", "by day"
	}
	t.head(title)
	line := fmt.Sprintf("  %-13s", "")
	for _, v := range columns {
		line += fmt.Sprintf(" %9s", v)
	}
	t.line("%s", line)
	for _, h := range t.r.Hours {
		line := fmt.Sprintf("  %-13s", h.Start.Format(format))
		for _, v := range columns {
			line += fmt.Sprintf(" %9s", zeroless(h.Counts[v]))
		}
		t.line("%s", line)
	}
}

// columns are the verdicts that came most, in their order.
func (r *Report) columns(most int) (words []string) {
	list := slices.Clone(r.Verdicts)
	slices.SortStableFunc(list, func(a, b VerdictFact) int { return b.Count - a.Count })
	list = list[:min(most, len(list))]
	for _, f := range r.Verdicts {
		if slices.ContainsFunc(list, func(x VerdictFact) bool { return x.Verdict == f.Verdict }) {
			words = append(words, f.Verdict)
		}
	}
	return words
}

func zeroless(n int) string {
	if n == 0 {
		return "."
	}
	return group(n)
}

func (t text) counts(list table) {
	if len(list.Rows) == 0 {
		return
	}
	t.head(fmt.Sprintf("%-57s  %s", list.Title, list.lastTitle()))
	for _, c := range list.Rows {
		t.line("  %9s  %-44s  %s", group(c.Count), c.Key, c.note())
	}
}

// delay shows the delay curve.
func (t text) delay() {
	d := &t.r.Delay
	if d.Spoke+d.Left == 0 {
		return
	}
	t.head("the greet delay")
	t.line("  of %s clients that had to wait for %s, %s spoke and %s left:", group(d.Waited),
		seconds(d.Longest), group(d.Spoke), group(d.Left))
	for _, at := range []float64{0.1, 0.5, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30, 60} {
		if at >= d.Longest {
			break
		}
		s := d.at(at)
		t.line("  by %5s  %5.1f %%  %s", seconds(at), s.Percent,
			strings.Repeat("#", int(s.Percent/2)))
	}
	for _, part := range wrap(d.Why, maxColumns-2) {
		t.line("  %s", part)
	}
	t.line("  %s", onlyLonger)
}

const onlyLonger = "Only a longer delay than you want shows what comes later."

func (t text) waits() {
	if len(t.r.Waits) == 0 {
		return
	}
	t.head("longest waits of served clients")
	for _, w := range t.r.Waits[:min(len(t.r.Waits), 10)] {
		turn := ""
		if w.Turn > 0 {
			turn = "for its turn " + seconds(w.Turn)
		}
		t.line("  %-13s %-40s %8s  %-8s %s", short(w.At), w.Client,
			seconds(w.Seconds), w.Verdict, turn)
	}
}

// sources says which logs were read, what could not be, and what was not looked at.
func (r *Report) sources() (lines []string) {
	u := &r.Unreadable
	if len(r.Logs) > 0 {
		lines = []string{"read: " + strings.Join(r.Logs, ", ")}
	}
	if said := join([]counted{
		{u.Lines, "line that begins with no time", "lines that begin with no time"},
		{u.TooLong, "line that is too long", "lines that are too long"},
		{u.Garbled, "line of sendwrap that was cut or mixed",
			"lines of sendwrap that were cut or mixed"},
	}); said != "" {
		lines = append(lines, "not read: "+said)
	}
	for _, f := range u.Files {
		lines = append(lines, "not read: "+f.File+": "+f.Why)
	}
	if n := r.Forgotten; n > 0 {
		lines = append(lines, plural(n, "client was", "clients were")+
			" not looked at for mistakes: there were too many")
	}
	return lines
}
