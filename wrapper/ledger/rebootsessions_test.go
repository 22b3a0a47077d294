package ledger

import (
	"testing"
	"time"
)

// A session of an earlier boot does not count in the next one, even if a process with the same pid
// and start time lives.
func TestRemembersNoSession(t *testing.T) {
	m := newMachine(t, time.Now())
	var s Session
	m.do(func(tx *Tx) {
		s, _ = tx.Enter(from(hostN(1)), Self())
		tx.Enter(from(hostN(1)), Self())
	})
	m.reboot(time.Minute, 0)
	m.do(func(tx *Tx) {
		tx.Serve(s)
		tx.Leave(s)
		if n := tx.Totals(); n.Waiting+n.Serving != 0 {
			t.Errorf("%d waiting, %d serving", n.Waiting, n.Serving)
		}
		tx.Enter(from(hostN(1)), Self())
		if s := tx.Look(one()); s.Conns != 1 || s.Waiting != 1 {
			t.Errorf("the first session of the new boot: %+v", s)
		}
	})
	mustAuditAt(m)
}

// Another boot id alone is no reboot: two processes of one boot may see two (a container manager
// mounts one over the kernel's). The sessions stay, whichever process comes next.
func TestRemembersSessionsUnderTwoBootIDs(t *testing.T) {
	m := newMachine(t, time.Now())
	other, _, err := Open(m.path, MinClients, bootN(77))
	if err != nil {
		t.Fatal(err)
	}
	defer shut(other)
	m.do(func(tx *Tx) { tx.Enter(from(hostN(1)), Self()) })
	for n := range 5 {
		m.pass(time.Minute)
		mustAt(t, other, m.now, func(tx *Tx) {
			if n := tx.Totals(); n.Waiting == 0 {
				t.Fatalf("under another boot id: %d waiting, %d serving", n.Waiting, n.Serving)
			}
			tx.Enter(from(hostN(1)), Self())
		})
		m.now.Wall = m.now.Wall.Add(4 * time.Second) // slewed, or set by a little
		if s := m.look(1); s.Conns != n+2 {
			t.Fatalf("%d sessions; want %d", s.Conns, n+2)
		}
	}
	if n := m.l.takeForgotten() + other.takeForgotten(); n != 0 {
		t.Errorf("%d sessions were forgotten", n)
	}
	// After a reboot either id is new.
	m.reboot(time.Minute, 0)
	if s := m.look(1); s.Conns != 0 || m.l.takeForgotten() != 6 || m.l.takeForgotten() != 0 {
		t.Errorf("after a reboot: %+v", s)
	}
}

// A process that has waited for the lock comes with a moment that is past by then. That is no
// reboot either.
func TestRemembersSessionsOfAnOldMoment(t *testing.T) {
	m := newMachine(t, time.Now())
	other, _, err := Open(m.path, MinClients, bootN(77))
	if err != nil {
		t.Fatal(err)
	}
	defer shut(other)
	m.do(func(tx *Tx) { tx.Enter(from(hostN(1)), Self()) })
	before := m.now
	m.pass(time.Minute)
	m.do(func(*Tx) {})
	mustAt(t, other, before, func(tx *Tx) {
		if n := tx.Totals(); n.Waiting != 1 {
			t.Errorf("with an old moment: %d waiting", n.Waiting)
		}
	})
	mustAt(t, other, m.now, func(tx *Tx) {
		if n := tx.Totals(); n.Waiting != 1 {
			t.Errorf("after an old moment: %d waiting", n.Waiting)
		}
	})
}

// A reboot is seen although the machine has been up for longer than before: the moment of boot is
// another.
func TestRemembersNoSessionOfAShorterBoot(t *testing.T) {
	m := newMachine(t, time.Now())
	m.do(func(tx *Tx) { tx.Enter(from(hostN(1)), Self()) })
	m.reboot(time.Minute, 0)
	m.pass(time.Hour)
	if s := m.look(1); s.Conns != 0 {
		t.Errorf("%d sessions of the boot before", s.Conns)
	}
}
