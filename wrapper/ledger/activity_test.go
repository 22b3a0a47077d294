package ledger

import (
	"math"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// recordOf is what the ledger says of a network.
func recordOf(t *testing.T, l *Ledger, now Moment, network netip.Prefix) (found Record) {
	t.Helper()
	err := l.Records(now, func(r *Record) {
		if r.Network == network {
			found = *r
		}
	})
	if err != nil || !found.Network.IsValid() {
		t.Fatalf("there is no record of %v: %v", network, err)
	}
	return found
}

// evenMinute is a moment at which a period of HalfLife begins.
func evenMinute(t *testing.T, l *Ledger) Moment {
	t.Helper()
	now := Now()
	mustAt(t, l, now, func(tx *Tx) {
		period := HalfLife.Milliseconds()
		now = now.After(time.Duration(period-tx.now%period) * time.Millisecond)
	})
	return now
}

// Arrivals and refusals are counted by network, with and without the lock, and halved every four
// minutes. It is seen when the last of them comes.
func TestCountsActivity(t *testing.T) {
	l := newLedger(t, MinClients)
	now := evenMinute(t, l)
	a, network := from(hostN(1)), networkN(1)
	for range 40 {
		mustAt(t, l, now, func(tx *Tx) {
			s, _ := tx.Enter(a, Self())
			tx.Leave(s)
			tx.CountFor(network, Event{Verdict: 10})
		})
	}
	for range 60 {
		l.CountUnlockedFor(network, Event{Verdict: 3, Arrived: true, Refused: true}, now)
	}
	for _, want := range []struct {
		after, seen time.Duration
		Activity
	}{
		{0, 0, Activity{100, 60, 3}},
		{3*time.Minute + 59*time.Second, 3 * time.Minute, Activity{100, 60, 3}},
		{4 * time.Minute, 4 * time.Minute, Activity{50, 30, 3}},
		{8 * time.Minute, 8 * time.Minute, Activity{25, 15, 3}},
		{9 * time.Minute, 0, Activity{26, 15, 10}},
		{44 * 24 * time.Hour, 44*24*time.Hour - 9*time.Minute, Activity{0, 0, 10}},
	} {
		if want.after == 9*time.Minute {
			l.CountUnlockedFor(network, Event{Verdict: 10, Arrived: true}, now.After(want.after))
		}
		got := recordOf(t, l, now.After(want.after), network)
		if got.Activity != want.Activity || got.Seen != want.seen {
			t.Errorf("%v later: %+v, seen %v ago; want %+v", want.after, got.Activity, got.Seen,
				want)
		}
	}
	if n, _, err := l.Report(now); err != nil || n.Verdicts[10] != 41 || n.Verdicts[3] != 60 {
		t.Errorf("%v, %v; want 41 and 60 verdicts", n.Verdicts, err)
	}
}

// Nothing is counted for a network without a record, and no record is made.
func TestCountsActivityOfRecordsAlone(t *testing.T) {
	l := newLedger(t, MinClients)
	l.CountUnlockedFor(networkN(1), Event{Verdict: 3, Arrived: true, Refused: true}, Now())
	must(t, l, func(tx *Tx) {
		tx.CountFor(networkN(1), Event{Verdict: 3, Arrived: true, Refused: true})
		if n := tx.Totals(); n.Clients != 0 || n.Verdicts[3] != 2 {
			t.Errorf("%d clients, %d verdicts; want 0, 2", n.Clients, n.Verdicts[3])
		}
	})
}

// The counts stop at their maximum, and periods go on where the minutes wrap around. What another
// part of the program keeps in the word stays. A clock that is a moment behind changes nothing.
func TestCountsActivityAtItsEnds(t *testing.T) {
	const last = math.MaxUint16
	a := activity{arrivals: last, refusals: last - 1, minute: 3, origin: 77}
	for range 3 {
		a = a.with(Event{Verdict: 31, Arrived: true, Refused: true}, 3)
	}
	if a != (activity{last, last, 3, 32, 77}) || unpack(a.pack()) != a {
		t.Errorf("%+v, %+v", a, unpack(a.pack()))
	}
	for _, tt := range []struct {
		then, minute uint16
		arrivals     uint16
	}{
		{last, 0, 500}, {last, 3, 500}, {last, 4, 250}, {last - 4, 0, 250}, {0, last, 1000},
		{8, 7, 1000}, {8, 6, 0}, {1, 4, 500}, {8, 8 + 4*9, 1}, {8, 8 + 4*17, 0},
	} {
		a := activity{arrivals: 1000, minute: tt.then}
		if got := a.decayed(tt.minute).arrivals; got != tt.arrivals {
			t.Errorf("1000 of minute %d are %d in minute %d; want %d", tt.then, got, tt.minute,
				tt.arrivals)
		}
	}
}

// Of many processes that count without the lock, beside others that hold it, each counts.
func TestExactActivity(t *testing.T) {
	const each = 3000
	l := newLedger(t, MinClients)
	now, network := evenMinute(t, l), networkN(1)
	mustAt(t, l, now, func(tx *Tx) { tx.Block(network, time.Hour, "test", Penalty{}) })
	var all sync.WaitGroup
	for range 4 {
		other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
		all.Go(func() {
			for range each {
				e := Event{Verdict: 3, Arrived: true, Refused: true}
				other.CountUnlockedFor(network, e, now)
			}
		})
	}
	all.Go(func() {
		for range each {
			err := untilFree(func() error {
				e := Event{Verdict: 3, Arrived: true, Refused: true}
				return l.Do(now, func(tx *Tx) { tx.CountFor(network, e) })
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	if a := recordOf(t, l, now, network).Activity; a != (Activity{5 * each, 5 * each, 3}) {
		t.Errorf("%+v; want %d of each", a, 5*each)
	}
}

// Numbers of steps wrap around without a gap: no window forgets what it must count there.
func TestExactWindowWrapsAround(t *testing.T) {
	for _, before := range []int64{1, 5, 15} {
		const per = time.Second
		step := (per.Milliseconds() + steps - 1) / steps
		var w window[uint16]
		begin := (stepNumbers*5 - before) * step
		w.advance(begin, per)
		w.add(3)
		w.advance(begin+before*step, per)
		w.add(4)
		if got := w.count(); got != 7 {
			t.Errorf("%d steps before the end: %d; want 7", before, got)
		}
		if w.advance(begin+(steps+1)*step, per); w.count() != 4 {
			t.Errorf("%d when the first are too old; want 4", w.count())
		}
		if w.advance(begin+(steps+1+before)*step, per); w.count() != 0 {
			t.Errorf("%d when all are too old; want 0", w.count())
		}
	}
}
