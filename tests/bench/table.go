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
}

// value is what was measured of one program.
type value struct {
	Peer  string  `json:"peer"`
	Value float64 `json:"value"`
}

// columns are the peers with a column of their own; others share the last one.
var columns = []string{ours, goFloor, cFloor}

// row returns a row with the medians of all peers.
func (s series) row(what, unit string) row {
	r := row{What: what, Unit: unit}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		r.Values = append(r.Values, value{name, s.median(name)})
	}
	return r
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
	lines := [][]string{{"what", "", "sendwrap", "Go floor", "C floor", "ratio", "", "target", "", "others"}}
	for _, r := range t.Rows {
		lines = append(lines, r.cells())
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
	_, err := io.WriteString(w, b.String())
	return err
}

// cells returns what the row shows in each column.
func (r row) cells() []string {
	cells := []string{r.What, r.Unit}
	for _, name := range columns {
		cells = append(cells, r.value(name))
	}
	if r.Skipped != "" {
		return append(cells, "", "", "", "skipped", r.Skipped)
	}
	var ratio, against, target, result string
	if r.Against != "" {
		ratio, against = figures(r.Ratio), "x "+r.Against
	}
	if r.Target != 0 {
		target, result = "<= "+strconv.FormatFloat(r.Target, 'f', -1, 64), "ok"
		if r.Absolute {
			target += " " + r.Unit
		}
		if r.Missed {
			result = "MISSED"
		}
	}
	var others []string
	for _, v := range r.Values {
		if !slices.Contains(columns, v.Peer) {
			others = append(others, v.Peer+" "+figures(v.Value))
		}
	}
	return append(cells, ratio, against, target, result, strings.Join(others, ", "))
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
	case 0 < f && f < 0.1:
		return strconv.FormatFloat(f, 'f', 3, 64)
	case f < 10:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f < 100:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}
