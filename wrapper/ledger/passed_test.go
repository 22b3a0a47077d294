package ledger

import (
	"net/netip"
	"testing"
	"time"
)

// A session has passed if it is served because its client has waited, whoever has it by then.
// Clients are told apart by their ports.
func TestSessionsPassed(t *testing.T) {
	l := newLedger(t, MinClients)
	arrive := func(port uint16, delay time.Duration, serve func(*Tx, Session)) netip.AddrPort {
		a := from(hostN(1))
		a.Client = netip.AddrPortFrom(a.Client.Addr(), port)
		a.Delay = delay
		must(t, l, func(tx *Tx) {
			s, ok := tx.Enter(a, Self())
			if !ok {
				t.Fatal("no slot")
			}
			serve(tx, s)
		})
		return a.Client
	}
	const delay = 6 * time.Second
	for _, tt := range []struct {
		what   string
		client netip.AddrPort
		want   bool
	}{
		{"has passed", arrive(1, delay, (*Tx).ServePassed), true},
		{"is served for another reason", arrive(2, delay, (*Tx).Serve), false},
		{"still waits", arrive(3, delay, func(*Tx, Session) {}), false},
		{"did not have to wait", arrive(4, 0, (*Tx).ServePassed), false},
		{"has left", arrive(5, delay, func(tx *Tx, s Session) {
			tx.ServePassed(s)
			tx.Leave(s)
		}), false},
		{"is the MTA's by now", arrive(6, delay, func(tx *Tx, s Session) {
			tx.ServePassed(s)
			tx.Transfer(s, Process{PID: Self().PID, Start: Self().Start})
		}), true},
		{"is none", netip.AddrPortFrom(hostN(1), 7), false},
		{"is of another network", netip.AddrPortFrom(hostN(2), 1), false},
	} {
		must(t, l, func(tx *Tx) {
			if got := tx.HasPassed(tt.client, from(tt.client.Addr()).Network); got != tt.want {
				t.Errorf("a session that %s: %v", tt.what, got)
			}
		})
	}
}

// The counts of passed sessions go along to another file.
func TestHonestPassed(t *testing.T) {
	l := newLedger(t, MinClients)
	for range 3 {
		l.CountPassed(false)
	}
	l.CountPassed(true)
	l, _ = mustOpen(t, ledgerPath(t, l), 2*MinClients)
	if n, _, err := l.Report(Now()); err != nil || n.Passed != 4 || n.Silent != 1 {
		t.Errorf("%d passed, %d of them silent, %v; want 4, 1", n.Passed, n.Silent, err)
	}
}

// A guard is none of the rooms, and is there as long as its process lives.
func TestSessionsGuard(t *testing.T) {
	l := newLedger(t, MinClients)
	dead := Self()
	dead.Start--
	if l.RegisterGuard(dead); l.HasGuard() {
		t.Error("a dead process is a guard")
	}
	if l.RegisterGuard(Self()); !l.HasGuard() || l.HasRoom() {
		t.Errorf("guard %v, room %v", l.HasGuard(), l.HasRoom())
	}
}
