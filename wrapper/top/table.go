package top

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sendwrap/wrapper/ledger"
)

// table is one of the lists: its rows have a cell for each column.
type table struct {
	title   string
	columns []column
	rows    []row
	by      int // the column by which the rows are sorted
}

type column struct {
	title string
	width int // right-aligned; negative = left-aligned
}

type row struct {
	network netip.Prefix
	blocked bool
	cells   []string
	keys    []int64 // by which columns are sorted, the largest first
}

// The tables, by the key that chooses each.
const (
	ofCome = iota
	ofRefused
	ofHolders
	ofBlocks
	tables
)

// tables are all lists of a picture, each in its usual order.
func (p *Picture) tables() [tables]table {
	come, refused := networkTable("networks that come most"), networkTable("networks refused most")
	for _, b := range []struct {
		*best
		*table
	}{{&p.come, &come}, {&p.refused, &refused}} {
		for i := range b.all {
			b.rows = append(b.rows, networkRow(&b.all[i].Record))
		}
	}
	refused.sortBy(2, false)
	come.sortBy(1, false)
	holders := table{title: "sessions", columns: []column{
		{"network", -20}, {"waiting", 8}, {"serving", 8}, {"longest", 9}, {"pid", 8}}}
	for _, h := range p.holders {
		holders.rows = append(holders.rows, row{network: h.network,
			cells: []string{h.network.String(), fmt.Sprint(h.waiting), fmt.Sprint(h.serving),
				ago(h.oldest), fmt.Sprint(h.pid)},
			keys: []int64{0, int64(h.waiting), int64(h.serving), int64(h.oldest), int64(h.pid)}})
	}
	holders.sortBy(3, false)
	blocks := table{title: "blocks", columns: []column{
		{"network", -20}, {"left", 8}, {"age", 8}, {"times", 6}, {"reason", -32}}}
	for i := range p.blocks.all {
		b := &p.blocks.all[i].BlockedNetwork
		blocks.rows = append(blocks.rows, row{network: b.Network, blocked: true,
			cells: []string{b.Network.String(), ago(b.Left), ago(b.Age), fmt.Sprint(b.Times),
				b.Reason},
			keys: []int64{0, int64(b.Left), -int64(b.Age), int64(b.Times), 0}})
	}
	blocks.sortBy(2, false)
	return [tables]table{come, refused, holders, blocks}
}

func networkTable(title string) table {
	return table{title: title, columns: []column{{"network", -20}, {"came", 7}, {"refused", 8},
		{"last", -9}, {"seen", 8}, {"is", -8}}}
}

func networkRow(r *ledger.Record) row {
	state, blocked := "", r.Left > 0
	switch {
	case blocked:
		state = "blocked"
	case r.Trusted:
		state = "trusted"
	case r.Known:
		state = "known"
	}
	return row{network: r.Network, blocked: blocked,
		cells: []string{r.Network.String(), fmt.Sprint(r.Arrivals), fmt.Sprint(r.Refusals),
			verdictWord(r.Verdict), ago(r.Seen), state},
		keys: []int64{0, int64(r.Arrivals), int64(r.Refusals), int64(r.Verdict), -int64(r.Seen), 0}}
}

// sortBy sorts the rows by a column, and those that are alike there by network: so a row does not
// move from look to look.
func (t *table) sortBy(at int, reverse bool) {
	t.by = at
	slices.SortFunc(t.rows, func(a, b row) int {
		c := cmp.Compare(b.keys[at], a.keys[at])
		if c == 0 && at > 0 {
			c = strings.Compare(a.cells[at], b.cells[at])
		}
		if reverse {
			c = -c
		}
		return cmp.Or(c, a.network.Compare(b.network))
	})
}

// lines are the title and as many rows as fit, so that row cursor is among them; -1 = none is
// chosen.
func (t *table) lines(height, cursor int) (all []line) {
	header := line{{fmt.Sprintf("%s (%d)", t.title, len(t.rows)), strong}}
	all = append(all, header, cells(t.titles(), t.columns, strong))
	first := max(0, cursor-max(1, height-len(all))+1)
	for i := first; i < len(t.rows) && len(all) < height; i++ {
		s := plain
		if i == cursor {
			s = chosen
		}
		all = append(all, cells(t.rows[i].cells, t.columns, s))
	}
	return all[:min(len(all), max(0, height))]
}

func (t *table) titles() (all []string) {
	for _, c := range t.columns {
		all = append(all, c.title)
	}
	return all
}

// cells is one row of a table.
func cells(texts []string, columns []column, s style) line {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%*s", c.width, texts[i])
	}
	return line{{b.String(), s}}
}
