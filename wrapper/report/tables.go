package report

import (
	"strings"

	"sendwrap/wrapper/loglines"
)

// table is a list with its title.
type table struct {
	Title string
	Rows  []Count
}

// tables are all lists of the report, to be looked at: those of refused clients are cut.
func (r *Report) tables() []table {
	most := func(rows []Count) []Count { return rows[:min(len(rows), maxListed)] }
	return []table{
		{"observed: would be refused", r.observed()},
		{"refused by address", most(r.Addresses)}, {"refused by network", most(r.Networks)},
		{"refused by AS", most(r.Origins)}, {"early bytes", r.Kinds},
		{"lists, and the clients that they named", r.Lists},
		{"CONNS by network", r.Conns}, {"RATE by network", r.Rates},
		{"bad recipients by client", r.BadRcpts},
		{"MTAs of a room that ended badly, by length", r.Sessions},
		{"met no limits for a fault of ours, by cause", r.Trouble.Open},
		{"other lines of sendwrap", r.Trouble.Most},
		{"words and keys that this version does not know", r.Newer},
	}
}

// observed lists the verdicts that refused nobody, and after how many of these mail came.
func (r *Report) observed() (rows []Count) {
	for _, f := range r.Verdicts {
		v, _ := loglines.VerdictOf(f.Verdict)
		if n := f.Observed + f.Noted; n > 0 && v.Refuses() {
			what := f.Verdict
			if f.Wide > 0 {
				what += ", " + group(f.Wide) + " by a wide network"
			}
			rows = append(rows, Count{Key: what, Count: n, Last: sentLater(f.Sent)})
		}
	}
	return rows
}

// sentLater says after how many mail came; "" after none: then no guard may have looked.
func sentLater(n int) string {
	if n == 0 {
		return ""
	}
	return "then sent mail: " + group(n)
}

// lastTitle is the title of the last column, if that is of verdicts.
func (list table) lastTitle() string {
	for _, c := range list.Rows {
		if _, ok := loglines.VerdictOf(c.Last); ok {
			return "last verdict"
		}
	}
	return ""
}

// note is what stands behind a count.
func (c Count) note() string {
	if c.More > 0 {
		return strings.TrimLeft(c.Last+" (and up to "+group(c.More)+" more)", " ")
	}
	return c.Last
}
