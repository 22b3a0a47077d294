package ledger

import (
	"testing"
	"time"
)

// A session that is added counts as one, and is no arrival; a second look does not compare arrivals
// with their limit again.
func TestExactAddSession(t *testing.T) {
	l := newLedger(t, MinClients)
	a := from(hostN(1))
	a.Limits = Limits{Conns: 1, Rate: 1, Per: time.Hour}
	must(t, l, func(tx *Tx) {
		for range 2 {
			if s, ok := tx.Enter(a, Self()); !ok || s == (Session{}) {
				t.Error("no session")
			}
		}
		for n := 3; n <= 5; n++ {
			if s, ok := tx.AddSession(a, Self()); !ok || s == (Session{}) {
				t.Error("no session")
			}
			if s := tx.Look(a); s.Conns != n || s.Arrivals != 2 {
				t.Errorf("%d sessions, %d arrivals; want %d, 2", s.Conns, s.Arrivals, n)
			}
			if s := tx.LookAgain(a); s.Conns != n || s.Arrivals != 0 {
				t.Errorf("again: %d sessions, %d arrivals; want %d, 0", s.Conns, s.Arrivals, n)
			}
		}
	})
	mustAudit(t, l)
}
