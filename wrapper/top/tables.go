package top

import "sendwrap/wrapper/ledger"

// The tables, by the key that chooses each.
const (
	ofCome = iota
	ofRefused
	ofHolders
	ofBlocks
	numTables
)

// fillTables makes the tables of what was found.
func (p *Picture) fillTables() {
	p.tables = [numTables]table{
		ofCome:    networkTable("networks that come most", "came", &p.come),
		ofRefused: networkTable("networks refused most", "refused", &p.refused),
		ofHolders: p.holderTable(),
		ofBlocks:  p.blockTable(),
	}
}

func networkTable(name, usual string, from *best) table {
	columns := []column{{"came", 7}, {"refused", 8}, {"last", -9}, {"seen", 8}, {"is", -8}}
	rows := make([]row, len(from.all))
	for i := range from.all {
		r := &from.all[i].Record
		rows[i] = newRow(r.Network, number(r.Arrivals), number(r.Refusals),
			word(verdictWord(r.Verdict)), past(r.Seen), word(standing(r)))
	}
	return newTable(name, usual, columns, rows)
}

// standing is what the network is now.
func standing(r *ledger.Record) string {
	switch {
	case r.Left > 0:
		return "blocked"
	case r.Trusted:
		return "trusted"
	case r.Known:
		return "known"
	}
	return ""
}

func (p *Picture) holderTable() table {
	columns := []column{{"waiting", 8}, {"serving", 8}, {"longest", 9}, {"pid", 8}}
	rows := make([]row, len(p.holders))
	for i, h := range p.holders {
		rows[i] = newRow(h.network, number(h.waiting), number(h.serving), lasting(h.oldest),
			number(h.pid))
	}
	return newTable("sessions", "longest", columns, rows)
}

func (p *Picture) blockTable() table {
	columns := []column{{"left", 8}, {"age", 8}, {"times", 6}, {"reason", -32}}
	rows := make([]row, len(p.blocks.all))
	for i := range p.blocks.all {
		b := &p.blocks.all[i].BlockedNetwork
		rows[i] = newRow(b.Network, lasting(b.Left), past(b.Age), number(b.Times), word(b.Reason))
	}
	return newTable("blocks", "age", columns, rows)
}
