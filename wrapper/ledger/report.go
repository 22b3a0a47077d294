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
		all = append(all, t.l.slot(i).live(t.now))
	}
	return all
}
