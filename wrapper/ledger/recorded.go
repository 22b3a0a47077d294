package ledger

import "time"

// Record is what the ledger remembers of a network, for an administrator.
type Record struct {
	BlockedNetwork // Left is 0, and the rest but Network, if none runs
	Activity
	Seen           time.Duration // since one of its clients came last, or it was struck or blocked
	Known, Trusted bool
}

// Records calls look with each network that is remembered, in no order; the next overwrites what
// look gets. It looks at every record and keeps no process waiting, so what it finds is not a
// picture of one moment.
func (l *Ledger) Records(now Moment, look func(*Record)) error {
	r, err := l.newReader(now)
	if err != nil {
		return err
	}
	var record Record // one for all: there may be millions
	return r.records(func(_ int, c *client) {
		record = Record{
			BlockedNetwork: BlockedNetwork{Network: key{c.addr, c.bits}.network()},
			Activity:       unpack(c.activity).of(r.now),
			Seen:           time.Duration(c.seenAgo(r.now)) * time.Millisecond,
			Known:          c.known(r.now), Trusted: c.trusted(r.now),
		}
		if c.blockLeft(r.now) > 0 {
			record.BlockedNetwork = l.blockOf(c, r.now)
		}
		look(&record)
	})
}
