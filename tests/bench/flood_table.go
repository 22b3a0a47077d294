package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Goals of a siege: all known clients are greeted, and it takes them no longer than so many ms, or
// so many times what it takes without the attacker.
const (
	siegeTime  = 100
	siegeTimes = 3
)

// besieged is the result of known clients at one door, without an attacker and with it.
type besieged struct {
	Attack    string     `json:"attack"`
	Door      string     `json:"door"`
	Ours      bool       `json:"ours"` // the goals are for it
	Without   greetings  `json:"without"`
	With      greetings  `json:"with"`
	Newcomers *greetings `json:"newcomers,omitempty"` // with; nil: none came
	Attackers string     `json:"attackers"`           // how many there were, and what they did
	// NoLimits counts clients for which the ledger could not be had, by cause.
	NoLimits map[string]int `json:"no_limits,omitempty"`
}

// missed names the goals that are missed.
func (b besieged) missed() (all []string) {
	if b.With.Greeted < b.With.Clients {
		all = append(all, "greeted")
	}
	late := func(with, without float64) bool { return with > max(siegeTime, siegeTimes*without) }
	if late(b.With.Median, b.Without.Median) {
		all = append(all, "median")
	}
	if late(b.With.Worst, b.Without.Worst) {
		all = append(all, "worst")
	}
	return all
}

// result says whether the goals are reached, where there are any.
func (b besieged) result() string {
	missed := b.missed()
	switch {
	case !b.Ours:
		return ""
	case len(missed) == 0:
		return "ok"
	}
	return "MISSED: " + strings.Join(missed, ", ")
}

// times returns median and worst, "-" if no client was greeted.
func (g greetings) times() (middle, worst string) {
	if g.Greeted == 0 {
		return "-", "-"
	}
	return figures(g.Median), figures(g.Worst)
}

// line is the row as it is printed when it is done.
func (b besieged) line() string {
	middle, worst := b.With.times()
	free, last := b.Without.times()
	return fmt.Sprintf("known clients, %s: %s: %s greeted, in %s ms, the worst %s "+
		"(without %s, %s); %s",
		b.Attack, b.Door, b.With.share(), middle, worst, free, last, b.more())
}

// more returns the lines below the row.
func (b besieged) more() string {
	parts := []string{b.result(), b.Attackers}
	if others := b.With.others(); others != "" {
		parts = append(parts, "known clients heard "+others)
	}
	if b.Newcomers != nil {
		if others := b.Newcomers.others(); others != "" {
			parts = append(parts, "newcomers "+others)
		}
	}
	for _, cause := range slices.Sorted(maps.Keys(b.NoLimits)) {
		if n := b.NoLimits[cause]; n > 0 {
			parts = append(parts, fmt.Sprintf("without limits (%s) %d", cause, n))
		}
	}
	if parts[0] == "" {
		parts = parts[1:]
	}
	return strings.Join(parts, "; ")
}

// sieges returns the rows of attacks.
func (t table) sieges() (all []besieged) {
	for _, r := range t.Rows {
		if r.Siege != nil {
			all = append(all, *r.Siege)
		}
	}
	return all
}

// writeSieges prints them in lines of at most 100 columns.
func writeSieges(w io.Writer, all []besieged) {
	const width = 100
	format := func(cells ...any) string {
		return strings.TrimRight(fmt.Sprintf("%-46s%8s%9s%9s%10s%8s%10s", cells...), " ") + "\n"
	}
	fmt.Fprint(w, format("", "greeted", "median", "worst", "without:", "worst", "newcomers"))
	last := ""
	for _, b := range all {
		if b.Attack != last {
			last = b.Attack
			fmt.Fprintf(w, "\n%s\n", last)
		}
		middle, worst := b.With.times()
		free, longest := b.Without.times()
		fresh := ""
		if b.Newcomers != nil {
			fresh = b.Newcomers.share()
		}
		fmt.Fprint(w, format("    "+b.Door, b.With.share(), middle, worst, free, longest, fresh))
		writeWrapped(w, width, strings.Repeat(" ", 7), b.more())
	}
}

const siegesHead = `
## Under attack

How known clients fare while an attacker wants the port for itself, and how they fare at the same
door just before. A known client has waited once, and comes from a network of its own, none of which
is the attacker's. Clients come one after the other, whatever becomes of those before: 40 in a
second, or fewer at a door that could not greet so many even without the attacker. One that has no
greeting within 20 s is not greeted. Times are ms from the connect to the first line of the
greeting, the median and the worst of those that are greeted; then come the same two without the
attacker. Newcomers are clients that nobody knows; they have 2 s to wait first, as attackers do.

Below stands whether the goals are reached: all known clients greeted; neither median nor worst
longer than 100 ms, or than three times the same without the attacker. Then how many attackers there
were at the least, while the clients came, what clients heard instead of a greeting, and how many
connections met no limits, since the ledger was held or crowded (status says why). Server, clients
and attackers share the CPUs of one machine. Limits are the defaults. The MTA greets, and stays
until its client goes. Postscreen has as many sessions and places to wait as the room; behind it is
Postfix's smtpd.

` + "```\n"
