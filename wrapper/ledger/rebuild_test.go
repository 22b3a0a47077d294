package ledger

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"
)

// What a rebuilt ledger must have taken over from a populated one.
func checkTakenOver(t *testing.T, l *Ledger, now Moment) {
	t.Helper()
	mustAt(t, l, now, func(tx *Tx) {
		for n := range 10 {
			want := 3
			if n == haunted {
				want = 2 // the third is dead
			}
			a := from(hostN(n))
			a.Limits = Limits{Conns: 3, Rate: 100, Per: time.Minute}
			if s := tx.Look(a); s.Conns != want || s.Arrivals != 3 {
				t.Errorf("host %d: %d sessions, %d arrivals; want %d, 3", n, s.Conns, s.Arrivals,
					want)
			}
		}
		if s := tx.Look(from(hostN(blockedN))); !s.Blocked ||
			s.BlockLeft != 10*time.Minute-time.Second || s.Reason != "test" {
			t.Errorf("the block: %+v", s)
		}
		if s := tx.Look(from(hostN(knownN))); !s.Known {
			t.Errorf("the known: %+v", s)
		}
		if s := tx.Look(from(hostN(offenderN))); s.Strikes != 2 {
			t.Errorf("the offender: %+v", s)
		}
		if s := tx.Look(from(netip.MustParseAddr("192.0.2.77"))); !s.Blocked ||
			s.Network.Bits() != 24 {
			t.Errorf("the block of a wide network: %+v", s)
		}
		n := tx.Totals()
		if n.Waiting != 28 || n.Serving != 1 || n.Verdicts[1] != 1 || n.Spoke[5] != 1 ||
			n.Left[7] != 1 {
			t.Errorf("%d waiting, %d serving, totals %v, %d, %d", n.Waiting, n.Serving, n.Verdicts,
				n.Spoke[5], n.Left[7])
		}
		for _, s := range tx.Sessions() {
			if s.Process != Self() || s.Age != time.Second || s.Client.Port() != 25 {
				t.Errorf("a session: %+v", s)
			}
		}
		if err := audit(l); err != nil {
			t.Error(err)
		}
	})
}

// Another clients= makes another file, larger or smaller, with the contents of the one before.
func TestHonestRebuild(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	l, _ := mustOpen(t, path, MinClients)
	now := Now()
	populate(t, l, now, Self())
	mustAt(t, l, now, func(tx *Tx) {
		tx.Block(netip.MustParsePrefix("192.0.2.0/24"), time.Hour, "admin", Penalty{})
		tx.Spoke(550 * time.Millisecond)
		tx.Left(750 * time.Millisecond)
	})
	now = now.After(time.Second)
	clock := func() Moment { return now }
	for _, clients := range []int{16384, 100_000, 2000, MinClients} {
		l, notes, err := openBy(path, clients, ThisBoot(), clock)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { shut(l) })
		want := fmt.Sprintf("%s: rebuilt for clients=%d", path, l.records())
		if len(notes) != 1 || notes[0] != want {
			t.Errorf("notes: %q; want %q", notes, want)
		}
		if l.records() < clients || l.records() >= clients+ways {
			t.Errorf("clients=%d: %d records", clients, l.records())
		}
		if n := l.state.waiting + l.state.serving; n != 29 {
			t.Errorf("%d sessions before anybody has looked; want the 29 that live", n)
		}
		checkTakenOver(t, l, now)
		if _, notes := mustOpen(t, path, clients); len(notes) > 0 {
			t.Errorf("opened again: %q", notes)
		}
		checkDirectory(t, path, "ledger")
	}
}

// A ledger that is much too small gets what is most important, in whatever order the old one has
// it.
func TestHonestShrink(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	l, _ := mustOpen(t, path, 65536)
	const blocked, clients, live = 300, 40_000, 60
	for n := 0; n < clients; {
		must(t, l, func(tx *Tx) {
			for range 10 {
				switch {
				case n%(clients/blocked) == 0 && n/(clients/blocked) < blocked:
					tx.Block(networkN(n), time.Hour, "test", Penalty{})
				case n%2 == 0:
					tx.Remember(networkN(n), time.Hour)
				default:
					tx.Strike(networkN(n), "test", 1, Penalty{})
				}
				tx.checkpoint()
				n++
			}
		})
	}
	for n := range live {
		must(t, l, func(tx *Tx) {
			for range 2 {
				tx.Enter(from(hostN(clients+n)), Self())
			}
		})
	}
	l, _ = mustOpen(t, path, MinClients)
	lost := 0
	must(t, l, func(tx *Tx) {
		for n := range blocked {
			if s := tx.Look(from(hostN(n * (clients / blocked)))); !s.Blocked {
				lost++
			}
		}
		for n := range live {
			if s := tx.Look(from(hostN(clients + n))); s.Conns != 2 {
				t.Errorf("host %d has %d sessions; want 2", n, s.Conns)
			}
		}
	})
	if lost > 0 {
		t.Errorf("%d of %d blocks lost; there is room for %d records", lost, blocked, MinClients)
	}
	mustAudit(t, l)
}
