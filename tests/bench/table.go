package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table is the whole result.
type table struct {
	Heading string `json:"heading"`
	Rows    []row  `json:"rows"`
}

// row is one thing measured.
type row struct {
	What    string  `json:"what"`
	Unit    string  `json:"unit"`
	Values  []value `json:"values,omitempty"`
	Ratio   float64 `json:"ratio,omitempty"`   // of sendwrap's value to that of Against
	Against string  `json:"against,omitempty"` // "" = no ratio
	Target  float64 `json:"target,omitempty"`  // for the ratio, at most; 0 = none
	// Absolute says that the target is one for sendwrap's value.
	Absolute bool   `json:"absolute,omitempty"`
	Missed   bool   `json:"missed,omitempty"`
	Skipped  string `json:"skipped,omitempty"` // why it was not measured
	Late     string `json:"late,omitempty"`    // why it is not made of all rounds
	Error    string `json:"error,omitempty"`   // why it could not be measured
	// Siege is what an attack did, instead of values.
	Siege *besieged `json:"siege,omitempty"`
	// Calls are system calls in their order, in addition to their number.
	Calls []listedCall `json:"calls,omitempty"`
}

// value is what was measured of one program. What is counted may differ from run to run: from Low
// to High.
type value struct {
	Peer  string  `json:"peer"`
	Value float64 `json:"value"`
	Low   float64 `json:"low,omitempty"`
	High  float64 `json:"high,omitempty"`
}

// columns are the peers with a column of their own; others share the last one.
var columns = []string{ours, goFloor, cFloor}

// row returns a row with the medians of all peers.
func (s series) row(what, unit string) row {
	r := row{What: what, Unit: unit}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		r.Values = append(r.Values, value{Peer: name, Value: s.median(name)})
	}
	return r
}

// oursAlone returns a row with one value, sendwrap's.
func oursAlone(what, unit string, v float64) row {
	return row{What: what, Unit: unit, Values: []value{{Peer: ours, Value: v}}}
}

// against returns the row with sendwrap's ratio to another peer.
func (r row) against(s series, peer string) row {
	r.Ratio, r.Against = s.ratio(ours, peer), peer
	return r
}

// atMost returns the row with sendwrap's ratio to another peer and what that may be.
func (r row) atMost(s series, peer string, target float64) row {
	r = r.against(s, peer)
	r.Target, r.Missed = target, r.Ratio > target
	return r
}

// within returns the row with what sendwrap's own value may be.
func (r row) within(target float64) row {
	r.Target, r.Absolute = target, true
	for _, v := range r.Values {
		r.Missed = r.Missed || v.Peer == ours && v.Value > target
	}
	return r
}

// writeJSON prints the table for programs.
func (t table) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(t)
}

// write prints the table for people: the first column flush left, the last one too.
func (t table) write(w io.Writer) error {
	lines := [][]string{strings.Split("what,,sendwrap,Go floor,C floor,ratio,,target,,others", ",")}
	for _, r := range t.Rows {
		if r.Siege == nil {
			lines = append(lines, r.cells())
		}
	}
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", t.Heading)
	for _, line := range lines {
		var out strings.Builder
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if numeric := i >= 2 && i <= 5; numeric {
				cell = pad + cell
			} else {
				cell += pad
			}
			out.WriteString(cell + "  ")
		}
		b.WriteString(strings.TrimRight(out.String(), " ") + "\n")
	}
	t.writeCalls(&b)
	if sieges := t.sieges(); len(sieges) > 0 {
		b.WriteString("\n")
		writeSieges(&b, sieges)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cells returns what the row shows in each column.
func (r row) cells() []string {
	cells := []string{r.What, r.Unit}
	for _, name := range columns {
		cells = append(cells, r.value(name))
	}
	for _, none := range []struct{ what, why string }{{"skipped", r.Skipped}, {"FAILED", r.Error}} {
		if none.why != "" {
			return append(cells, "", "", "", none.what, strings.Join(strings.Fields(none.why), " "))
		}
	}
	var ratio, against string
	if r.Against != "" {
		ratio, against = figures(r.Ratio), "x "+r.Against
	}
	target, result := r.target()
	return append(cells, ratio, against, target, result, strings.Join(r.others(columns), ", "))
}

// target says what the row's value may be, and whether it is.
func (r row) target() (target, result string) {
	if r.Target == 0 {
		return "", ""
	}
	target, result = "<= "+strconv.FormatFloat(r.Target, 'f', -1, 64), "ok"
	if r.Absolute {
		target += " " + r.Unit
	}
	if r.Missed {
		result = "MISSED"
	}
	return target, result
}

// others says what was measured of programs that have no column, how far values differed, and what
// is missing.
func (r row) others(columns []string) (all []string) {
	for _, v := range r.Values {
		text := v.Peer
		if !slices.Contains(columns, v.Peer) {
			text += " " + figures(v.Value)
		}
		if low, high := figures(v.Low), figures(v.High); low != high {
			text += fmt.Sprintf(" (%s to %s)", low, high)
		}
		if text != v.Peer {
			all = append(all, text)
		}
	}
	if r.Late != "" {
		all = append(all, r.Late)
	}
	return all
}

// failed returns how many rows say that something could not be measured.
func (t table) failed() (n int) {
	for _, r := range t.Rows {
		if r.Error != "" {
			n++
		}
	}
	return n
}

// line is the row as it is printed when it is done.
func (r row) line() string {
	if r.Siege != nil {
		return r.Siege.line()
	}
	what, value, more := r.spoken()
	line := fmt.Sprintf("%-76s %12s  %s", what, value, strings.Join(more, "; "))
	return strings.TrimRight(line, " ")
}

// spoken returns the row in parts: what, sendwrap's value, and everything else.
func (r row) spoken() (what, value string, more []string) {
	if v := r.value(ours); v != "" {
		value = strings.TrimSpace(v + " " + r.Unit)
	}
	switch {
	case r.Error != "":
		more = append(more, "FAILED: "+strings.Join(strings.Fields(r.Error), " "))
	case r.Skipped != "":
		more = append(more, "skipped: "+r.Skipped)
	}
	target, result := r.target()
	if r.Against != "" {
		if value == "" {
			value = figures(r.Ratio)
			more = append(more, "x "+r.Against)
		} else {
			more = append(more, figures(r.Ratio)+" x "+r.Against)
		}
	}
	if target != "" {
		more = append(more, target+": "+result)
	}
	return r.What, value, append(more, r.others([]string{ours})...)
}

// value returns what was measured of a peer, "" if it was not.
func (r row) value(peer string) string {
	for _, v := range r.Values {
		if v.Peer == peer {
			return figures(v.Value)
		}
	}
	return ""
}

// figures returns about three significant figures, never in powers of ten.
func figures(f float64) string {
	switch {
	case -0.005 < f && f < 0:
		return "0.00"
	case 0 < f && f < 0.1:
		return strconv.FormatFloat(f, 'f', 3, 64)
	case f < 10:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f < 100:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}
