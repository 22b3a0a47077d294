package ledger

import (
	"math"
	"testing"
	"time"
)

// The time that a session has left to wait goes down to nothing. It is nothing for a session that
// is served, or that has no delay.
func TestSessionsHaveTimeLeft(t *testing.T) {
	for _, tt := range []struct {
		delay, after, want time.Duration
		serving            bool
	}{
		{delay: 30 * time.Second, want: 30 * time.Second},
		{delay: 30 * time.Second, after: time.Millisecond, want: 30*time.Second - time.Millisecond},
		{delay: 30 * time.Second, after: 29*time.Second + 999*time.Millisecond,
			want: time.Millisecond},
		{delay: 30 * time.Second, after: 30 * time.Second},
		{delay: 30 * time.Second, after: time.Hour},
		{delay: 30 * time.Second, serving: true},
		{delay: 290 * time.Second, after: 200 * time.Second, want: 90 * time.Second},
		{delay: time.Microsecond, want: time.Millisecond},
		{delay: 1500 * time.Microsecond, want: 2 * time.Millisecond},
		{delay: 0},
		{delay: -time.Second},
		{delay: math.MinInt64},
		// no client waits for longer
		{delay: math.MaxInt64, after: time.Minute, want: longestWait - time.Minute},
	} {
		l := newLedger(t, MinClients)
		now := Now()
		mustAt(t, l, now, func(tx *Tx) {
			a := one()
			tx.Look(a)
			a.Delay = tt.delay
			s, _ := tx.Enter(a, aRoom())
			if tt.serving {
				tx.Serve(s)
			}
		})
		mustAt(t, l, now.After(tt.after), func(tx *Tx) {
			if live := tx.Sessions(); len(live) != 1 || live[0].Left != tt.want ||
				live[0].Age != tt.after {
				t.Errorf("delay %v, after %v: %+v; want %v left", tt.delay, tt.after, live, tt.want)
			}
		})
	}
}

// A session that is transferred while it waits has as long to wait as before. A slot that is used
// again keeps nothing of that.
func TestSessionsHaveTimeLeftByThemselves(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	a := one()
	a.Delay = time.Minute
	var s Session
	left := func(want time.Duration) {
		t.Helper()
		mustAt(t, l, now, func(tx *Tx) {
			if live := tx.Sessions(); len(live) != 1 || live[0].Left != want {
				t.Errorf("%+v; want %v left", live, want)
			}
		})
	}
	mustAt(t, l, now, func(tx *Tx) { s, _ = tx.Enter(a, aRoom()) })
	now = now.After(10 * time.Second)
	mustAt(t, l, now, func(tx *Tx) { s, _ = tx.Transfer(s, Self()) })
	left(50 * time.Second)
	mustAt(t, l, now, func(tx *Tx) {
		tx.Leave(s)
		if *l.slot(0) != (session{}) {
			t.Errorf("the slot still says %+v", l.slot(0))
		}
		tx.Enter(one(), Self())
	})
	left(0)
}

// Whatever the file says, no session has longer to wait than the longest delay, nor less than
// nothing.
func TestSessionsHaveNoTimeLeftByGarbage(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) { tx.Enter(one(), aRoom()) })
	for _, delay := range []uint32{0, 1, 60_000, 300_000, 300_001, math.MaxUint32} {
		for _, since := range []int64{0, -1, math.MinInt64, math.MaxInt64,
			l.state.lastTick + 60_000} {
			must(t, l, func(tx *Tx) {
				l.slot(0).delay, l.slot(0).since = delay, since
				for _, s := range tx.Sessions() {
					if s.Left != 0 {
						t.Errorf("delay %d since %d: %v left", delay, since, s.Left)
					}
				}
			})
		}
		must(t, l, func(tx *Tx) {
			l.slot(0).delay, l.slot(0).since = delay, tx.now
			want := time.Duration(delay) * time.Millisecond
			if want > longestWait {
				want = 0
			}
			if s := tx.Sessions(); s[0].Left != want {
				t.Errorf("delay %d: %v left; want %v", delay, s[0].Left, want)
			}
		})
	}
}

// A room's clients wait as long as the room says. Only a process with one client counts as an MTA
// after a while.
func TestSessionsOfARoomAreNeverOverdue(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	var s Session
	mustAt(t, l, now, func(tx *Tx) {
		tx.Enter(one(), aRoom())
		s, _ = tx.Enter(one(), aRoom())
	})
	for after, serving := range map[time.Duration]int{longestWait: 0, 350 * time.Second: 0,
		time.Hour: 0} {
		mustAt(t, l, now.After(after), func(tx *Tx) {
			if n := tx.Totals(); n.Serving != serving || n.Waiting != 2 {
				t.Errorf("after %v: %d waiting, %d serving", after, n.Waiting, n.Serving)
			}
		})
	}
	mustAt(t, l, now.After(2*time.Hour), func(tx *Tx) {
		tx.Transfer(s, Self())
		if n := tx.Totals(); n.Serving != 1 || n.Waiting != 1 {
			t.Errorf("transferred at once: %d waiting, %d serving; want 1, 1", n.Waiting,
				n.Serving)
		}
	})
	mustAudit(t, l)
}
