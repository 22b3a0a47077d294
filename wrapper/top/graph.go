package top

import (
	"fmt"
	"slices"
	"time"

	"sendwrap/wrapper/decide"
)

const graphRows = 5

// graph draws arrivals a second, a column for each step: those that were refused below, the others
// on top of them. Beside it are the verdicts of the last minute.
func (h *history) graph(width int, ascii bool) []line {
	const legend, scale = 20, 6
	columns := min(width-legend-scale, len(h.steps), stepsKept)
	rows := make([]line, graphRows)
	if room := width - legend - scale; room > 0 {
		shown := h.steps[len(h.steps)-columns:]
		most := 1.0
		for i := range shown {
			most = max(most, shown[i].rate(isArrival))
		}
		for y := range rows {
			rows[y] = drawRow(shown, graphRows-1-y, most, ascii)
			mark := ""
			if y == 0 {
				mark = rateText(most)
			} else if y == graphRows-1 {
				mark = "0"
			}
			blank := fmt.Sprintf("%*s ", scale-1, mark) + fmt.Sprintf("%*s", room-columns, "")
			rows[y] = append(text(blank), rows[y]...)
		}
	}
	for y, l := range h.legend() {
		if y < graphRows {
			rows[y] = append(append(rows[y], span{"  ", plain}), l...)
		}
	}
	return rows
}

// drawRow is one row of the graph, counted from the bottom.
func drawRow(steps []step, row int, most float64, ascii bool) (l line) {
	eighths := []rune(" ▁▂▃▄▅▆▇█")
	if ascii {
		eighths = []rune("    ....#")
	}
	for i := range steps {
		arrivals := steps[i].rate(isArrival)
		refused := min(arrivals, steps[i].rate(func(v decide.Verdict) bool {
			return v.Refuses() && isArrival(v)
		}))
		level := func(rate float64) int { // in this cell, in eighths
			return max(0, min(8, int(rate/most*graphRows*8+0.5)-8*row))
		}
		all, bad := level(arrivals), level(refused)
		switch {
		case 2*bad >= all && bad > 0:
			l = append(l, span{string(eighths[all]), refusal})
		case all == 8 && ascii:
			l = append(l, span{"+", served})
		case all == 8:
			l = append(l, span{"▒", served})
		default:
			l = append(l, span{string(eighths[all]), served})
		}
	}
	return l
}

// legend are the most frequent verdicts of the last minute, by the second.
func (h *history) legend() (all []line) {
	late := h.late()
	verdicts := decide.Verdicts()
	slices.SortStableFunc(verdicts, func(a, b decide.Verdict) int {
		return int(late.verdicts[b]) - int(late.verdicts[a])
	})
	for _, v := range verdicts {
		if late.verdicts[v] == 0 {
			break
		}
		s := served
		if v.Refuses() {
			s = refusal
		}
		rate := late.rate(func(other decide.Verdict) bool { return other == v })
		all = append(all, line{{fmt.Sprintf("%-8s", v), s}, {rateText(rate) + "/s", plain}})
	}
	if all == nil {
		all = []line{text("no verdicts")}
	}
	return all
}

// rateText is a rate in five characters.
func rateText(r float64) string {
	switch {
	case r < 9.995:
		return fmt.Sprintf("%5.2f", r)
	case r < 999.95:
		return fmt.Sprintf("%5.1f", r)
	case r < 99999.5:
		return fmt.Sprintf("%5.0f", r)
	}
	return fmt.Sprintf("%4.0fk", r/1000)
}

// ago is a time in a few characters.
func ago(d time.Duration) string {
	switch d = d.Truncate(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d/time.Second%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d/time.Minute%60)
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d/time.Hour%24)
}
