package ledger

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// A zombie is no session, even if its parent never waits for it, whichever limit depends on that.
// Nor does it get a signal.
func TestSessionsOfZombies(t *testing.T) {
	atServing := from(hostN(2))
	atServing.Limits.Serving = 1
	l, other := newLedger(t, MinClients), newLedger(t, MinClients)
	var zombies []*child
	for _, l := range []*Ledger{l, other} {
		c := start(t, "exec", ledgerPath(t, l), "die")
		c.line(t)
		zombies = append(zombies, c)
	}
	var live []LiveSession
	must(t, l, func(tx *Tx) { live = tx.Sessions() })
	if len(live) != 1 {
		t.Fatalf("before its death: %+v", live)
	}
	for _, c := range zombies {
		c.tell(t, "die")
		lab.Eventually(t, "the child is a zombie", func() bool {
			_, err := startTime(c.Process.Pid)
			return err == errDead
		})
		if unix.Kill(c.Process.Pid, 0) != nil {
			t.Fatal("the zombie is gone")
		}
	}
	if err := live[0].Process.Signal(unix.SIGTERM); err != unix.ESRCH {
		t.Errorf("signal to a zombie: %v; want ESRCH", err)
	}
	time.Sleep(identityTTL * time.Millisecond)
	if s := look(t, l, one()); s.Conns != 0 || s.Serving != 0 {
		t.Errorf("sessions of a zombie: %+v", s)
	}
	if s := look(t, other, atServing); s.Serving != 0 {
		t.Errorf("sessions of a zombie where the limit is on all: %+v", s)
	}
	mustAudit(t, l)
}

// When all slots belong to dead sessions, the next client gets a slot.
func TestSessionsOfTheDeadMakeRoom(t *testing.T) {
	l := newLedger(t, MinClients)
	slots := int(l.geo.slots)
	for n := 0; n < slots; n += 4 {
		must(t, l, func(tx *Tx) {
			for i := range 4 {
				if _, ok := tx.Enter(from(hostN(n+i)), nobody); !ok {
					t.Fatalf("no slot for session %d of %d", n+i, slots)
				}
			}
		})
	}
	must(t, l, func(tx *Tx) {
		a := from(netip.MustParseAddr("192.0.2.1")) // no limit, so that only the slots run out
		tx.Look(a)
		if _, ok := tx.Enter(a, Self()); !ok {
			t.Error("no slot though all sessions are dead")
		}
	})
	mustAudit(t, l)
}

// A room is killed just before it can transfer a session to its MTA. For a while the session is not
// freed: not by a look, not for its client's limit, not in a file of another size. The next room
// transfers it, or it ends if no process claims it. A session that only waited ends at once.
func TestSessionsOrphaned(t *testing.T) {
	l := newLedger(t, MinClients)
	path := ledgerPath(t, l)
	dead := start(t, "room", path, "wait")
	dead.line(t)
	room, err := Identify(dead.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	room.Shared = true
	now := Now()
	var found, lost Session
	mustAt(t, l, now, func(tx *Tx) {
		found, _ = tx.Enter(from(hostN(1)), room)
		lost, _ = tx.Enter(from(hostN(2)), room)
		tx.Enter(from(hostN(3)), room)
	})
	// What counts is when they were to be served, not when they came.
	later := now.After(time.Minute)
	mustAt(t, l, later, func(tx *Tx) {
		tx.Serve(found)
		tx.Serve(lost)
	})
	mustAt(t, l, later, func(tx *Tx) {
		if o := tx.Orphans(); len(o) != 0 {
			t.Errorf("while the room lives: %+v", o)
		}
	})
	_ = dead.kill()
	soon := later.After(orphanTime*time.Millisecond - time.Second)
	limited := from(hostN(1))
	limited.Limits.Conns = 1
	mustAt(t, l, soon, func(tx *Tx) {
		if s := tx.Look(limited); s.Conns != 1 {
			t.Errorf("%d sessions of the client", s.Conns)
		}
		if n := tx.Totals(); n.Serving != 2 || n.Waiting != 0 {
			t.Errorf("%d serving, %d waiting", n.Serving, n.Waiting)
		}
	})
	wider, _ := mustOpen(t, path, 2*MinClients)
	mustAt(t, wider, soon, func(tx *Tx) {
		orphans := tx.Orphans()
		if len(orphans) != 2 || orphans[0] != (Orphan{found, from(hostN(1)).Client}) ||
			orphans[1] != (Orphan{lost, from(hostN(2)).Client}) {
			t.Errorf("orphans %+v", orphans)
		}
		if _, ok := tx.Transfer(found, Self()); !ok {
			t.Error("the orphan cannot be handed on")
		}
	})
	mustAt(t, wider, later.After(orphanTime*time.Millisecond), func(tx *Tx) {
		if n := tx.Totals(); n.Serving != 1 {
			t.Errorf("%d serving after the time for orphans", n.Serving)
		}
		if o := tx.Orphans(); len(o) != 0 {
			t.Errorf("orphans %+v", o)
		}
	})
	mustAudit(t, wider)
}
