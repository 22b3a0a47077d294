package ledger

import (
	"time"

	"golang.org/x/sys/unix"
)

// After the counts of all sessions were compared with the live processes, they are believed for
// sweepEvery ms, or for sweepShare times as long as the comparison took: all other processes wait
// for it, and in a flood at a full server each refused client would cause one. sweepLongest is the
// limit: the dead must not count for a minute.
const (
	sweepEvery   = 20
	sweepShare   = 20
	sweepLongest = 1000
)

// believedFor is for how long, in ms, the counts are believed after a sweep of that duration.
func believedFor(took time.Duration) int64 {
	return min(max(sweepEvery, sweepShare*took.Milliseconds()), sweepLongest)
}

// readsPerSweep is how many start times a sweep reads while a client waits for it. The other
// processes are only checked for existence; their start times are read by a later sweep.
const readsPerSweep = 64

// Stress begins at 80 % of a limit and ends below 60 %.
const stressOn, stressOff = 80, 60

// verifyCounts frees the dead among the sessions that a limit is about to be compared with. The
// number of slots is a limit, too.
func (t *Tx) verifyCounts(a Arrival) {
	s := t.state()
	places := a.Limits.places(s)
	wide := -1
	if a.Wide && (places || a.Limits.waits(s)) {
		wide = t.l.findWide(wideKey(a.Client.Addr().As16()))
	}
	if reaches(s.serving, a.Limits.Serving, stressOn) ||
		reaches(s.waiting, a.Limits.Waiting, stressOn) ||
		s.stressed != 0 || places || a.Limits.waits(s) || t.l.freeSlot() < 0 {
		if t.now >= s.sweepAt || s.sweepAt > t.now+sweepLongest {
			t.sweep(livenessCache{own: t.l.pid, now: t.now, readsLeft: readsPerSweep})
			t.recountWide(wide)
		}
	}
	for n := range MaxWide {
		if limits := a.wideLimits(n); limits != nil {
			t.verifyWide(limits)
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

// reaches says whether n is at least that percentage of the limit.
func reaches(n uint32, limit, percent int) bool {
	return limit > 0 && int(n)*100 >= limit*percent
}

// updateStress shortens the greet delay while there are many sessions. Between the two marks it
// changes nothing, so that the delay does not flutter.
func (t *Tx) updateStress(max Limits) {
	s := t.state()
	switch {
	case reaches(s.serving, max.Serving, stressOn) || reaches(s.waiting, max.Waiting, stressOn):
		s.stressed = 1
	case !reaches(s.serving, max.Serving, stressOff) && !reaches(s.waiting, max.Waiting, stressOff):
		s.stressed = 0
	}
}

// Up to fewSessions of a client are checked whenever it comes, for the log line.
const fewSessions = 16

// Up to manySessions of a client are checked one by one, since all other processes wait. Only a
// client whose limit is higher, or that has none, can have more.
const manySessions = 1000

// recheckAll is for a sweep that reads each start time.
func (t *Tx) recheckAll() livenessCache {
	return livenessCache{own: t.l.pid, now: t.now, readsLeft: int(t.l.geo.slots),
		recheckRooms: true}
}

// sweep frees every session whose process is dead and counts the others. There is a checkpoint
// after each freed session, so that the undo log stays short.
func (t *Tx) sweep(living livenessCache) {
	l := t.l
	watch := startWatch()
	var waiting, serving uint32
	for i := range l.liveSlots() {
		s := l.slot(i)
		if s.state != slotFree && (living.alive(s) || t.orphan(s)) {
			if s.state != slotServing && s.overdue(t.now) {
				t.serve(i, false)
				t.checkpoint()
			}
			if s.state == slotServing {
				serving++
			} else {
				waiting++
			}
			continue
		}
		t.free(i)
		t.checkpoint()
	}
	st := t.state()
	st.waiting, st.serving = waiting, serving
	st.sweepAt = t.now + believedFor(watch.elapsed())
}

// stopwatch measures the processor time of some work.
type stopwatch struct {
	began  time.Duration
	thread int
}

func startWatch() stopwatch { return stopwatch{threadTime(), unix.Gettid()} }

func (w stopwatch) elapsed() time.Duration {
	took := threadTime() - w.began
	if unix.Gettid() != w.thread { // Go has moved us to another thread, and the difference is wrong
		return 0
	}
	return took
}

// overdue says whether the session has waited longer than any delay: its process could not say that
// it is served, because another process held the lock when its delay ended. That process is an MTA
// now and never will. A room still can, so its word is believed: its clients may also have to wait
// for a free MTA.
func (s *session) overdue(now int64) bool {
	return !s.shared() && now-s.since >= longestWait.Milliseconds()
}

// longestWait is the longest possible greet delay and a little more (RFC 5321 §4.5.3.2.1: clients
// wait for five minutes).
const longestWait = 5 * time.Minute

// reapClient frees the dead sessions of one client. It checks start times if a limit depends on the
// result; otherwise a process with a reused pid may pass for the session's. It trusts no link: a
// list that is inconsistent is cut off there.
func (t *Tx) reapClient(record int, thorough bool) {
	l := t.l
	living := livenessCache{own: t.l.pid, now: t.now}
	living.remember(l.room)
	if thorough {
		living.readsLeft = int(l.geo.slots)
	}
	n, before := uint32(0), uint32(0)
	for i := int(l.record(record).first) - 1; t.ownedBy(i, record) && l.slot(i).prev == before; {
		s := l.slot(i)
		next := int(s.next) - 1
		if living.alive(s) || t.orphan(s) {
			n, before = n+1, uint32(i)+1
		} else {
			t.free(i)
			t.checkpoint()
		}
		i = next
	}
	if c := l.record(record); c.sessions != n {
		l.change(record).sessions = n
		t.checkpoint()
	}
}
