package ledger

import (
	"time"

	"golang.org/x/sys/unix"
)

// The counts of all sessions are believed for sweepEvery ms once they have been held against the
// living processes, and at least for 20 times as long as the processor worked for that: all others
// wait for it, and in a flood at a full server it would be done for each client refused.
// sweepLongest is the bound: the dead must not count for a minute.
const (
	sweepEvery   = 20
	sweepShare   = 20
	sweepLongest = 1000
)

// believed is for how long, in ms, the counts are believed after a sweep that took this long.
func believed(took time.Duration) int64 {
	return min(max(sweepEvery, sweepShare*took.Milliseconds()), sweepLongest)
}

// identities is how many start times a sweep reads when an arrival is behind it; the other
// processes are only asked whether they exist, and it is their turn the next time.
const identities = 64

// Stress begins at 80 % of a limit and ends below 60 %.
const stressOn, stressOff = 80, 60

// verify frees the dead among the sessions that a limit is about to be held against; the
// number of slots is a limit too.
func (t *Tx) verify(a Arrival) {
	s := t.state()
	places := a.Limits.places(s)
	wide := -1
	if a.Wide && (places || a.Limits.waits(s)) {
		wide = t.l.findWide(wideKey(a.Client.Addr().As16()))
	}
	if over(s.serving, a.Limits.Serving, stressOn) || over(s.waiting, a.Limits.Waiting, stressOn) ||
		s.stressed != 0 || places || a.Limits.waits(s) || t.l.freeSlot() < 0 {
		if t.now >= s.sweepAt || s.sweepAt > t.now+sweepLongest {
			t.sweep(census{now: t.now, reads: identities})
			t.recountWide(wide)
		}
	}
	if i := t.l.find(keyOf(a.Network)); i >= 0 {
		n := int(t.sessionsOf(t.l.record(i)))
		atLimit := a.Limits.Conns > 0 && n >= a.Limits.Conns || places && n <= manySessions
		if n > 0 && (atLimit || n <= fewSessions) {
			t.reapClient(i, atLimit)
		}
	}
}

// over says whether n has reached so many percent of the limit.
func over(n uint32, limit, percent int) bool {
	return limit > 0 && int(n)*100 >= limit*percent
}

// stress shortens the greet delay while the place is crowded. Between the two marks it
// stays as it is, so that it does not flutter.
func (t *Tx) stress(max Limits) {
	s := t.state()
	switch {
	case over(s.serving, max.Serving, stressOn) || over(s.waiting, max.Waiting, stressOn):
		s.stressed = 1
	case !over(s.serving, max.Serving, stressOff) && !over(s.waiting, max.Waiting, stressOff):
		s.stressed = 0
	}
}

// fewSessions of a client are looked at whenever it comes, for the sake of the log line.
const fewSessions = 16

// manySessions of a client are the most that are looked at one by one, since all others wait. Only
// one whose limit is higher, or that has none, can have more.
const manySessions = 1000

// thoroughly is a sweep that looks at each start time.
func (t *Tx) thoroughly() census {
	return census{now: t.now, reads: int(t.l.geo.slots), anew: true}
}

// sweep frees every session whose process is dead and counts the others again. Each session
// freed is work done for itself, so that the undo log stays short.
func (t *Tx) sweep(living census) {
	l := t.l
	began, thread := threadTime(), unix.Gettid()
	var waiting, serving uint32
	for i := range l.liveSlots() {
		s := l.slot(i)
		if s.state != slotFree && (living.alive(s) || t.orphan(s)) {
			if s.state != slotServing && s.overdue(t.now) {
				t.serve(i)
				t.begin()
			}
			if s.state == slotServing {
				serving++
			} else {
				waiting++
			}
			continue
		}
		t.free(i)
		t.begin()
	}
	st := t.state()
	st.waiting, st.serving = waiting, serving
	took := threadTime() - began
	if unix.Gettid() != thread { // Go has moved us to another, whose time is no measure
		took = 0
	}
	st.sweepAt = t.now + believed(took)
}

// overdue says whether the session has waited longer than anybody may: its process could not say
// that it is served, because the ledger was held by another when its delay ended. That process is
// an MTA now and never will. A room still can, so its word stands: a client of its may have to wait
// for a free MTA too.
func (s *session) overdue(now int64) bool {
	return !s.shared() && now-s.since >= longestWait.Milliseconds()
}

// longestWait is the longest greet delay there is, and a little more (RFC 5321 §4.5.3.2.1 has
// clients wait for five minutes).
const longestWait = 5 * time.Minute

// reapClient does the same for the sessions of one client, thoroughly if a limit depends
// on it; else a pid that has been handed on may pass for the session's. It
// trusts no link: a list that does not add up is cut off where it goes wrong.
func (t *Tx) reapClient(record int, thorough bool) {
	l := t.l
	living := census{now: t.now}
	if thorough {
		living.reads = int(l.geo.slots)
	}
	n, before := uint32(0), uint32(0)
	for i := int(l.record(record).first) - 1; t.ownedBy(i, record) && l.slot(i).prev == before; {
		s := l.slot(i)
		next := int(s.next) - 1
		if living.alive(s) || t.orphan(s) {
			n, before = n+1, uint32(i)+1
		} else {
			t.free(i)
			t.begin()
		}
		i = next
	}
	if c := l.record(record); c.sessions != n {
		l.change(record).sessions = n
		t.begin()
	}
}
