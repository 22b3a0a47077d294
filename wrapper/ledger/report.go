package ledger

import (
	"net/netip"
	"slices"
	"time"
)

// Totals are what the ledger has counted since it was made.
type Totals struct {
	Waiting, Serving int // live sessions
	Clients          int // networks remembered
	Capacity         int // networks it has room for
	Stressed         bool
	Verdicts         [Verdicts]uint64
	Open             [causes]uint64 // clients that met no limits, by Cause
	Troubles         [troubles]uint64
	Observed         [Verdicts]Observations // of Verdicts, those that refused nobody
	Unrecorded       uint64                 // clients whose network the ledger had no room for
	Evicted          [evictions]uint64      // networks that made room for others, by Eviction
	Idle             uint64                 // sessions ended because they were idle
	Passed, Silent   uint64                 // of [Ledger.CountPassed]; those without a message
	Spoke, Left      []uint64               // by DelayStep

	Since  time.Time // when the counts began; zero = not known
	Recent Recent
}

// Totals counts the live sessions and reads the counts. It frees all dead sessions, and reads the
// start time of every process to find them. A process that takes the place of a killed one calls it
// once, and the counts are right from then on. Call it before anything else in the same Do.
func (t *Tx) Totals() Totals {
	t.sweep(t.recheckAll())
	n := t.l.totalsOf(t.state())
	n.count(t.l.totals, t.l.late, t.l.unlocked)
	n.addObserved(t.l.observed)
	n.addPast(t.l.past, t.now, t.state().lastTick, t.state().lastWall)
	return n
}

// totalsOf is never more than the ledger can hold, whatever is in the file.
func (l *Ledger) totalsOf(s *state) Totals {
	slots, records := int(l.geo.slots), l.records()
	return Totals{
		Waiting: min(int(s.waiting), slots), Serving: min(int(s.serving), slots),
		Clients: min(int(s.clients), records), Capacity: records, Stressed: s.stressed != 0,
		Unrecorded: s.unrecorded, Evicted: s.evicted,
	}
}

// count fills in the counts, of verdicts the sum of those with and without the lock.
func (n *Totals) count(sums *totals, more *late, u *unlocked) {
	n.Verdicts = sums.verdicts
	for i := range u.verdicts {
		n.Verdicts[i] += u.verdicts[i].Load()
	}
	for i := range u.failOpen {
		n.Open[i] = u.failOpen[i].Load()
	}
	for i := range u.troubles {
		n.Troubles[i] = u.troubles[i].Load()
	}
	n.Idle = u.idle.Load()
	n.Passed, n.Silent = u.passed.Load(), u.silent.Load()
	n.Spoke = slices.Concat(sums.spoke[:], more.spoke[:])
	n.Left = slices.Concat(sums.left[:], more.left[:])
}

// LiveSession is a session as an administrator sees it.
type LiveSession struct {
	Client  netip.AddrPort
	Process Process
	Serving bool // by an MTA; otherwise it waits
	Age     time.Duration
	Left    time.Duration // of its wait, 0 = unknown or over
}

func (s *session) live(now int64) LiveSession {
	return LiveSession{
		Client:  netip.AddrPortFrom(netip.AddrFrom16(s.addr).Unmap(), s.port),
		Process: s.process(),
		Serving: s.state == slotServing,
		Age:     time.Duration(now-s.since) * time.Millisecond,
		Left:    s.left(now),
	}
}

// Sessions lists the live sessions, in no order. It frees the dead ones as Totals does.
func (t *Tx) Sessions() []LiveSession {
	t.sweep(t.recheckAll())
	all := make([]LiveSession, 0, t.state().waiting+t.state().serving)
	for i := range t.l.liveSlots() {
		all = append(all, t.l.slot(i).live(t.now))
	}
	return all
}

// SessionsOf lists the sessions of the clients for which match reports true, in no order. Unlike
// [Tx.Sessions] it checks no process and frees no session, so it may be called often. Some sessions
// may be dead: [Process.Signal] finds out.
//
// All other processes wait while match is called, once for each session, so it must look up and
// nothing else.
func (t *Tx) SessionsOf(match func(client netip.Addr) bool) (some []LiveSession) {
	for i := range t.l.liveSlots() {
		s := t.l.slot(i)
		if s.state != slotFree && match(netip.AddrFrom16(s.addr).Unmap()) {
			some = append(some, s.live(t.now))
		}
	}
	return some
}
