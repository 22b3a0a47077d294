package ledger

import (
	"net/netip"
	"slices"
	"time"
)

// Forgotten is how many sessions of the boot before this process has forgotten, since it was asked
// last: it was the first to use the ledger after a reboot. That is for the log.
func (l *Ledger) Forgotten() (sessions int) {
	sessions, l.forgotten = l.forgotten, 0
	return sessions
}

// Totals are what the ledger has counted since it was made.
type Totals struct {
	Waiting, Serving int // live sessions
	Clients          int // networks remembered
	Capacity         int // networks it has room for
	Stressed         bool
	Verdicts         [Verdicts]uint64
	Open             [causes]uint64 // clients that met no limits, by Cause
	Idle             uint64         // sessions ended for being idle
	Spoke, Left      []uint64       // by DelayStep
}

// Totals counts the living sessions and reads the counts. It frees all sessions of the dead, and
// looks at the start time of every process to tell them, of a room's in any case: a process that
// begins where another was killed calls it once and counts rightly from then on.
// Call it before anything else in the same Do.
func (t *Tx) Totals() Totals {
	t.sweep(t.thoroughly())
	n := t.l.totalsOf(t.state())
	n.count(t.l.totals, t.l.apart)
	return n
}

// totalsOf is no more than the ledger can hold, whatever stands in the file.
func (l *Ledger) totalsOf(s *state) Totals {
	slots, records := int(l.geo.slots), l.records()
	return Totals{
		Waiting: min(int(s.waiting), slots), Serving: min(int(s.serving), slots),
		Clients: min(int(s.clients), records), Capacity: records, Stressed: s.stressed != 0,
	}
}

// count fills in the counts, of those with the lock and those without.
func (n *Totals) count(sums *totals, more *apart) {
	n.Verdicts = sums.verdicts
	for i := range more.verdicts {
		n.Verdicts[i] += more.verdicts[i].Load()
	}
	for i := range more.open {
		n.Open[i] = more.open[i].Load()
	}
	n.Idle = more.idle.Load()
	n.Spoke, n.Left = slices.Clone(sums.spoke[:]), slices.Clone(sums.left[:])
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
		all = append(all, t.l.slot(i).live(t.now))
	}
	return all
}
