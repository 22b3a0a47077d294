package ledger

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// What a network did of late
//
// Each record of a client has one word for that, so that it can also be changed without the lock:
// the many connections of a blocked attacker are counted there, too. The counts are halved every
// four minutes, and stay at their maximum. They are for people to look at, and nothing is decided
// by them: an operation that is undone may take some counts of other processes with it, and a
// record may pass to another network in the moment before it is written to.

// HalfLife is how often the counts of an [Activity] are halved.
const HalfLife = halfLife * time.Minute

const halfLife = 4 // minutes; a power of two, so that periods continue where minutes wrap around

// Activity is what the clients of a network did of late.
type Activity struct {
	Arrivals int // connections, refused ones included; halved every [HalfLife]
	Refusals int // those that were refused, then or later; likewise
	Verdict  int // the last, as for [Tx.Count]; -1 = none
}

// Event is what came of a connection, for Activity.
type Event struct {
	Verdict int
	Arrived bool // [Tx.Enter] has not counted it
	Refused bool

	Observed bool // the verdict has refused nobody
}

// activity is the word in a record, taken apart: the form of the file is its pack.
type activity struct {
	arrivals, refusals uint16
	minute             uint16 // of the last event: ledger time in minutes, modulo 2^16
	last               uint8  // verdict + 1; 0 = none
	origin             uint8  // of the machine that has begun its block; 0 = this one
}

func unpack(word uint64) activity {
	return activity{uint16(word), uint16(word >> 16), uint16(word >> 32), uint8(word >> 48),
		uint8(word >> 56)}
}

func (a activity) pack() uint64 {
	return uint64(a.arrivals) | uint64(a.refusals)<<16 | uint64(a.minute)<<32 |
		uint64(a.last)<<48 | uint64(a.origin)<<56
}

func minuteOf(now int64) uint16 { return uint16(now / time.Minute.Milliseconds()) }

// since is how many minutes have passed since the last event. That may be a little after this
// minute, since the clocks of two processors differ.
func (a activity) since(minute uint16) uint16 {
	if minute+1 == a.minute {
		return 0
	}
	return minute - a.minute
}

// decayed is the activity as it is at that minute.
func (a activity) decayed(minute uint16) activity {
	const periods = 1 << 16 / halfLife
	minute = a.minute + a.since(minute)
	halvings := (minute/halfLife - a.minute/halfLife) % periods
	a.arrivals >>= halvings
	a.refusals >>= halvings
	a.minute = minute
	return a
}

// with is the activity after an event at that minute.
func (a activity) with(e Event, minute uint16) activity {
	a = a.decayed(minute)
	if e.Arrived && a.arrivals < 1<<16-1 {
		a.arrivals++
	}
	if e.Refused && a.refusals < 1<<16-1 {
		a.refusals++
	}
	if 0 <= e.Verdict && e.Verdict < Verdicts {
		a.last = uint8(e.Verdict) + 1
	}
	return a
}

// add notes an event in the record, with or without the lock.
func (c *client) add(e Event, now int64) {
	for done := false; !done; {
		old := atomic.LoadUint64(&c.activity)
		renewed := unpack(old).with(e, minuteOf(now)).pack()
		done = atomic.CompareAndSwapUint64(&c.activity, old, renewed)
	}
}

// of is the activity at that ledger time. Any bit of the word may have any value.
func (a activity) of(now int64) Activity {
	a = a.decayed(minuteOf(now))
	return Activity{int(a.arrivals), int(a.refusals), min(int(a.last), Verdicts) - 1}
}

// seenAgo is how long ago the network was seen, in ms: to the minute where only the activity says
// so.
func (c *client) seenAgo(now int64) int64 {
	ago := max(0, min(now-c.seen, maxTime>>1)) // what a damaged record says, too
	if a := unpack(atomic.LoadUint64(&c.activity)); a.last > 0 {
		ago = min(ago, int64(a.since(minuteOf(now)))*time.Minute.Milliseconds())
	}
	return ago
}

// CountFor is Count for a connection from that network.
func (t *Tx) CountFor(network netip.Prefix, e Event) {
	t.Count(e.Verdict)
	i := t.l.find(keyOf(network))
	if i < 0 && e.Observed {
		i = t.claimRecord(keyOf(network))
	}
	if i >= 0 {
		t.l.save(t.l.recordAt(i)+activityAt, 8)
		t.l.record(i).add(e, t.now)
	}
	if e.Observed && isObservable(e.Verdict) {
		t.l.save(observedAt+8*(e.Verdict-1), 8)
		if i >= 0 {
			t.l.save(t.l.recordAt(i)+markAt, 4)
		}
		t.l.countObserved(i, e.Verdict)
	}
}

// CountUnlockedFor is CountFor without the lock. If the network's record cannot be found at this
// moment, only the verdict is counted.
func (l *Ledger) CountUnlockedFor(network netip.Prefix, e Event, now Moment) {
	l.CountUnlocked(e.Verdict)
	l.withoutLock(func() {
		i := l.find(keyOf(network))
		if i >= 0 {
			l.record(i).add(e, l.timeAt(now))
		}
		if e.Observed {
			l.countObserved(i, e.Verdict)
		}
	})
}

// origin is the number of the machine that has begun the block; 0 = this one.
func (c *client) origin() uint8 { return unpack(atomic.LoadUint64(&c.activity)).origin }

func (c *client) setOrigin(n uint8) {
	for {
		old := atomic.LoadUint64(&c.activity)
		a := unpack(old)
		if a.origin = n; atomic.CompareAndSwapUint64(&c.activity, old, a.pack()) {
			return
		}
	}
}
