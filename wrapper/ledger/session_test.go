package ledger

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// execRole enters, prints a line, and at the parent's word becomes another program, or dies:
// LEDGER, "exec" or "die".
func execRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	err = l.Do(Now(), func(t *Tx) {
		s, _ := t.Enter(from(hostN(1)), Self())
		t.Serve(s)
	})
	if err != nil {
		return err
	}
	fmt.Println("entered")
	waitForLine()
	if args[1] == "exec" {
		return syscall.Exec("/bin/sleep", []string{"sleep", "600"}, nil)
	}
	return nil
}

// one is an arrival with a limit of one session, so that the ledger checks that session.
func one() Arrival {
	a := from(hostN(1))
	a.Limits.Conns = 1
	return a
}

// After execve the session is the other program's, and ends with it, at the next look.
func TestSessionsOutliveExec(t *testing.T) {
	l := newLedger(t, MinClients)
	c := start(t, "exec", ledgerPath(t, l), "exec")
	c.line(t)
	c.tell(t, "go")
	lab.Eventually(t, "the child is sleep(1)", func() bool {
		var name [64]byte
		n := readFile(fmt.Sprintf("/proc/%d/comm", c.Process.Pid), name[:])
		return n > 0 && string(name[:n]) == "sleep\n"
	})
	time.Sleep(2 * identityTTL * time.Millisecond) // so that its start time is read again
	if s := look(t, l, one()); s.Conns != 1 || s.Serving != 1 {
		t.Fatalf("while the other program runs: %+v", s)
	}
	var live []LiveSession
	must(t, l, func(tx *Tx) { live = tx.Sessions() })
	if len(live) != 1 || live[0].Process.PID != c.Process.Pid || !live[0].Serving ||
		live[0].Client != one().Client || live[0].Age < 2*identityTTL*time.Millisecond ||
		live[0].Process.Shared {
		t.Fatalf("while the other program runs: %+v", live)
	}
	if err := live[0].Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.end(); err == nil || err.Error() != "signal: terminated" {
		t.Fatalf("after SIGTERM: %v", err)
	}
	if s := look(t, l, one()); s.Conns != 0 || s.Serving != 0 {
		t.Errorf("at the next look after its end: %+v", s)
	}
	if err := live[0].Process.Signal(unix.SIGTERM); err != unix.ESRCH {
		t.Errorf("signal to a process that is gone: %v; want ESRCH", err)
	}
	mustAudit(t, l)
}

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

// A session that has waited longer than any delay is being served: its process could not say so,
// since the ledger was held.
func TestSessionsOverdue(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	mustAt(t, l, now, func(tx *Tx) { tx.Enter(from(hostN(1)), Self()) })
	for serving, after := range []time.Duration{longestWait - time.Millisecond, longestWait} {
		mustAt(t, l, now.After(after), func(tx *Tx) {
			if n := tx.Totals(); n.Serving != serving || n.Waiting != 1-serving {
				t.Errorf("after %v: %d waiting, %d serving", after, n.Waiting, n.Serving)
			}
		})
	}
	mustAudit(t, l)
}

// All sessions of a process that dies are freed, whichever process looks, and no others.
func TestSessionsFreedByAnyLook(t *testing.T) {
	for _, tt := range []struct {
		name string
		look func(*Tx)
	}{
		{"a client of the same network", func(tx *Tx) { tx.Look(one()) }},
		{"any client at a full server", func(tx *Tx) {
			a := from(hostN(2))
			a.Limits.Serving = 1
			tx.Look(a)
		}},
		{"an administrator", func(tx *Tx) { tx.Totals() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLedger(t, MinClients)
			must(t, l, func(tx *Tx) { tx.Enter(from(hostN(3)), Self()) })
			c := start(t, "exec", ledgerPath(t, l), "die")
			c.line(t)
			if err := c.kill(); err == nil {
				t.Fatal("it was to be killed")
			}
			must(t, l, tt.look)
			must(t, l, func(tx *Tx) {
				if s := tx.state(); s.serving != 0 || s.waiting != 1 {
					t.Errorf("%d serving, %d waiting; want 0, 1", s.serving, s.waiting)
				}
			})
			if s := look(t, l, from(hostN(1))); s.Conns != 0 {
				t.Errorf("still %d sessions of the dead", s.Conns)
			}
			mustAudit(t, l)
		})
	}
}

// Without /proc a session lives as long as any process has its pid, but no process gets a signal
// for it.
func TestSessionsWithoutStartTime(t *testing.T) {
	l := newLedger(t, MinClients)
	c := start(t, "exec", ledgerPath(t, l), "die")
	c.line(t)
	p := Process{PID: c.Process.Pid}
	must(t, l, func(tx *Tx) { tx.Enter(from(hostN(1)), p) })
	time.Sleep(identityTTL * time.Millisecond)
	if s := look(t, l, one()); s.Conns != 2 {
		t.Errorf("%d sessions of a living process; want 2", s.Conns)
	}
	if err := p.Signal(unix.SIGKILL); err != unix.ESRCH {
		t.Errorf("signal to a process of unknown start: %v; want ESRCH", err)
	}
	if _, err := startTime(p.PID); err != nil {
		t.Errorf("it was hit all the same: %v", err)
	}
	_ = c.kill()
	if s := look(t, l, one()); s.Conns != 0 {
		t.Errorf("%d sessions of a dead process", s.Conns)
	}
}

// A room's sessions are marked, so that it is never signalled for one of its clients.
func TestSessionsOfARoom(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	l, _ := mustOpen(t, path, MinClients)
	room := Self()
	room.Shared = true
	var sessions []Session
	must(t, l, func(tx *Tx) {
		s, _ := tx.Enter(from(hostN(1)), room)
		sessions = append(sessions, s)
	})
	must(t, l, func(tx *Tx) {
		s, _ := tx.Enter(from(hostN(1)), room)
		tx.Serve(s)
		tx.Leave(sessions[0])
	})
	l, _ = mustOpen(t, path, 2*MinClients) // it takes them over
	must(t, l, func(tx *Tx) {
		live := tx.Sessions()
		if len(live) != 1 || !live[0].Process.Shared || live[0].Process.PID != room.PID ||
			!live[0].Serving {
			t.Errorf("want the room's one session that serves: %+v", live)
		}
	})
}

// A token of an ended session is valid for nothing, not even for the next session in its slot.
func TestSessionsEndOnce(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	var first, second Session
	mustAt(t, l, now, func(tx *Tx) { first, _ = tx.Enter(from(hostN(1)), Self()) })
	mustAt(t, l, now.After(time.Second), func(tx *Tx) {
		tx.Leave(first)
		second, _ = tx.Enter(from(hostN(2)), Self())
		tx.Leave(first)
		tx.Serve(first)
		tx.Serve(Session{})
		tx.Leave(Session{})
		tx.Serve(second)
		tx.Serve(second)
		if s := tx.state(); s.waiting != 0 || s.serving != 1 {
			t.Errorf("%d waiting, %d serving; want 0, 1", s.waiting, s.serving)
		}
	})
	if first.slot != second.slot {
		t.Fatalf("the lowest free slot was to be used again: %d, %d", first.slot, second.slot)
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
