package ledger

import (
	"net/netip"
	"time"
)

// Totals are what the ledger has counted since it was made.
type Totals struct {
	Waiting, Serving int // live sessions
	Clients          int // networks remembered
	Capacity         int // networks it has room for
	Stressed         bool
	Verdicts         [Verdicts]uint64
	Spoke, Left      []uint64 // by DelayStep
}

// Totals counts the living sessions and reads the counts. It frees all sessions of the dead, and
// looks at the start time of every process to tell them, of a room's in any case: whoever
// begins where another was killed calls it once and counts rightly from then on.
// Call it before anything else in the same Do.
func (t *Tx) Totals() Totals {
	t.sweep(t.thoroughly())
	s, sums := t.state(), t.l.totals
	return Totals{
		Waiting: int(s.waiting), Serving: int(s.serving), Clients: int(s.clients), Capacity: t.l.records(),
		Stressed: s.stressed != 0, Verdicts: sums.verdicts,
		Spoke: append([]uint64(nil), sums.spoke[:]...), Left: append([]uint64(nil), sums.left[:]...),
	}
}

// LiveSession is a session as an administrator sees it.
type LiveSession struct {
	Client  netip.AddrPort
	Process Process
	Serving bool // by an MTA; else it waits
	Age     time.Duration
	Left    time.Duration // that it yet has to wait, 0 if that is not known
}

// Sessions lists the living sessions, in no order. It frees those of the dead as Totals does.
func (t *Tx) Sessions() []LiveSession {
	t.sweep(t.thoroughly())
	all := make([]LiveSession, 0, t.state().waiting+t.state().serving)
	for i := range t.l.liveSlots() {
		s := t.l.slot(i)
		all = append(all, LiveSession{
			Client:  netip.AddrPortFrom(netip.AddrFrom16(s.addr).Unmap(), s.port),
			Process: s.process(),
			Serving: s.state == slotServing,
			Age:     time.Duration(t.now-s.since) * time.Millisecond,
			Left:    s.left(t.now),
		})
	}
	return all
}

// BlockedNetwork is a block that runs.
type BlockedNetwork struct {
	Network netip.Prefix
	Left    time.Duration
	Reason  string
	Times   int // how often it has been blocked, this one included
}

// Blocks lists the blocks that run, in no order. It looks at every record, a few
// buckets at a time, so that nobody waits for it; it is not one moment's picture.
func (l *Ledger) Blocks(now Moment) ([]BlockedNetwork, error) {
	var all []BlockedNetwork
	err := l.eachRecord(now, func(t *Tx, i int) {
		c := t.l.record(i)
		if left := c.blockLeft(t.now); left > 0 {
			all = append(all, BlockedNetwork{
				Network: key{c.addr, c.bits}.network(), Left: time.Duration(left) * time.Millisecond,
				Reason: c.why(), Times: int(c.blocks),
			})
		}
	})
	return all, err
}

// Unblock ends the block on the network and on all networks within it, and returns
// those. Their strikes are forgotten too, else the next would block them again.
func (l *Ledger) Unblock(now Moment, network netip.Prefix) ([]netip.Prefix, error) {
	var freed []netip.Prefix
	err := l.eachRecord(now, func(t *Tx, i int) {
		c := t.l.record(i)
		n := key{c.addr, c.bits}.network()
		if c.blockLeft(t.now) > 0 && n.Bits() >= network.Bits() && network.Contains(n.Addr()) {
			c = t.l.change(i)
			c.blockedAt, c.blockTill, c.blocks = 0, 0, 0
			c.strikes = [strikesKept]int64{}
			t.begin()
			freed = append(freed, n)
		}
	})
	return freed, err
}

// eachRecord runs work on each record in use, holding the lock for 64 buckets at a time.
func (l *Ledger) eachRecord(now Moment, work func(t *Tx, i int)) error {
	const atOnce = 64 * ways
	for from := 0; from < l.records(); from += atOnce {
		err := l.Do(now, func(t *Tx) {
			for i := from; i < min(from+atOnce, l.records()); i++ {
				if l.record(i).inUse() {
					work(t, i)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
