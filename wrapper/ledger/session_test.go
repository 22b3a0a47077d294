package ledger

import (
	"fmt"
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
