package top

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// table is one of the lists of networks. Its rows have a cell for each column.
type table struct {
	name     string
	columns  []column
	usual    int // the column by which the rows are sorted unless a key has chosen another
	by       int // by which they are sorted now
	reversed bool
	rows     []row
}

type column struct {
	title string
	width int // right-aligned; negative = left-aligned
}

type row struct {
	network netip.Prefix
	cells   []cell
}

// cell is what a row says in a column. Rows are sorted by rank, the highest first, and by text
// where that is the same.
type cell struct {
	text string
	rank int64
}

// number is a cell of a count, the highest first.
func number(n int) cell { return cell{fmt.Sprint(n), int64(n)} }

// word is a cell in alphabetical order.
func word(text string) cell { return cell{text: text} }

// lasting is a cell of a time, the longest first; past one of a time ago, the latest first.
func lasting(d time.Duration) cell { return cell{ago(d), int64(d)} }
func past(d time.Duration) cell    { return cell{ago(d), -int64(d)} }

func (c cell) compare(other cell) int {
	return cmp.Or(cmp.Compare(other.rank, c.rank), strings.Compare(c.text, other.text))
}

// newRow is a row whose first cell is the network.
func newRow(network netip.Prefix, cells ...cell) row {
	return row{network, append([]cell{word(network.String())}, cells...)}
}

// newTable is a table that is sorted by the column of the title usual.
func newTable(name, usual string, columns []column, rows []row) table {
	slices.SortFunc(rows, func(a, b row) int { return a.network.Compare(b.network) })
	for i := range rows {
		rows[i].cells[0].rank = int64(-i)
	}
	t := table{name: name, rows: rows, columns: append([]column{{"network", -20}}, columns...)}
	t.usual = slices.IndexFunc(t.columns, func(c column) bool { return c.title == usual })
	t.sort(t.usual, false)
	return t
}

// arrange has the rows sorted by the column that many steps behind the usual one.
func (t *table) arrange(steps int, reversed bool) {
	if by := (t.usual + steps) % len(t.columns); by != t.by || reversed != t.reversed {
		t.sort(by, reversed)
	}
}

// sort sorts those that are alike by network: so a row does not move from look to look.
func (t *table) sort(by int, reversed bool) {
	t.by, t.reversed = by, reversed
	slices.SortFunc(t.rows, func(a, b row) int {
		c := a.cells[by].compare(b.cells[by])
		if reversed {
			c = -c
		}
		return cmp.Or(c, a.cells[0].compare(b.cells[0]))
	})
}

// title says how the rows are sorted, unless that is as usual.
func (t *table) title() string {
	title := t.name
	if t.by != t.usual || t.reversed {
		title += ", by " + t.columns[t.by].title
	}
	if t.reversed {
		title += ", reversed"
	}
	return fmt.Sprintf("%s (%d)", title, len(t.rows))
}

// lines are the title and as many rows as fit, so that row cursor is among them; -1 = none is
// chosen.
func (t *table) lines(height, cursor int) (all []line) {
	titles := make([]cell, len(t.columns))
	for i, c := range t.columns {
		titles[i] = word(c.title)
	}
	all = append(all, line{{t.title(), strong}}, t.line(titles, strong))
	first := max(0, cursor-max(1, height-len(all))+1)
	for i := first; i < len(t.rows) && len(all) < height; i++ {
		s := plain
		if i == cursor {
			s = chosen
		}
		all = append(all, t.line(t.rows[i].cells, s))
	}
	return all[:min(len(all), max(0, height))]
}

// line is one row.
func (t *table) line(cells []cell, s style) line {
	var b strings.Builder
	for i, c := range t.columns {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%*s", c.width, cells[i].text)
	}
	return line{{b.String(), s}}
}
