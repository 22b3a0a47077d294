package ledger

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// A transferred session keeps its state and its slot; only its process and its token change.
func TestSessionsAreTransferred(t *testing.T) {
	for _, serving := range []bool{false, true} {
		l := newLedger(t, MinClients)
		now := Now()
		populate(t, l, now, aRoom())
		var before, found session
		mustAt(t, l, now.After(time.Second), func(tx *Tx) {
			s := tx.sessionOf(hostN(crowded), 2)
			if serving {
				tx.Serve(s)
			}
			before = *l.slot(tx.slotOf(s))
			transferred, ok := tx.Transfer(s, Self())
			if !ok || transferred == s || transferred != tx.sessionOf(hostN(crowded), 2) {
				t.Errorf("handed, %v: %+v, was %+v", ok, transferred, s)
			}
			if again, ok := tx.Transfer(s, Process{PID: 1}); ok || again != (Session{}) {
				t.Errorf("handed again by the token that it had: %+v", again)
			}
			tx.Serve(s)
			tx.Leave(s)
			found = *l.slot(tx.slotOf(transferred))
			if err := audit(l); err != nil {
				t.Error(err)
			}
			before.flags, before.checked = 0, tx.now
		})
		if found != before {
			t.Errorf("it is %+v; want %+v", found, before)
		}
		if s := l.state; s.serving != map[bool]uint32{true: 2, false: 1}[serving] {
			t.Errorf("%d serving, %d waiting", s.serving, s.waiting)
		}
	}
}

// The new token serves and ends the session, and transfers it again, also to the same process.
func TestSessionsAreTransferredAgain(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) {
		first, _ := tx.Enter(from(hostN(1)), aRoom())
		same, ok := tx.Transfer(first, aRoom())
		if !ok || same != first {
			t.Errorf("handed to the same: %+v, %v; want %+v", same, ok, first)
		}
		second, _ := tx.Transfer(same, nobody)
		third, ok := tx.Transfer(second, Self())
		if _, again := tx.Transfer(second, Self()); !ok || again {
			t.Errorf("handed on: %v, and once more: %v", ok, again)
		}
		tx.Serve(third)
		if s := tx.state(); s.waiting != 0 || s.serving != 1 {
			t.Errorf("%d waiting, %d serving; want 0, 1", s.waiting, s.serving)
		}
		tx.Leave(third)
		for _, s := range []Session{{}, first, second, third, {slot: 1 << 31},
			{slot: 1, process: Self()}} {
			if got, ok := tx.Transfer(s, Self()); ok || got != (Session{}) {
				t.Errorf("handed, though there is no such session: %+v", s)
			}
		}
		if s := tx.Look(one()); s.Conns != 0 || s.Serving != 0 {
			t.Errorf("when all have left: %+v", s)
		}
	})
	mustAudit(t, l)
}

// A session that is transferred to a dead process ends at the next look.
func TestSessionsTransferredToTheDead(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) {
		s, _ := tx.Enter(from(hostN(1)), aRoom())
		tx.Enter(from(hostN(1)), aRoom())
		tx.Transfer(s, nobody)
	})
	if s := look(t, l, one()); s.Conns != 1 || s.Waiting != 1 {
		t.Errorf("%+v; want the room's only", s)
	}
	mustAudit(t, l)
}

// A session of an earlier boot is neither transferred nor kept.
func TestSessionsOfAnEarlierBootStay(t *testing.T) {
	m := newMachine(t, time.Now())
	var s Session
	m.do(func(tx *Tx) { s, _ = tx.Enter(from(hostN(1)), aRoom()) })
	m.reboot(time.Minute, 0)
	m.do(func(tx *Tx) {
		if _, ok := tx.Transfer(s, Self()); ok {
			t.Error("handed")
		}
		if n := tx.FreeExcept(aRoom(), func(Session) bool { return false }); n != 0 {
			t.Errorf("%d freed; want 0", n)
		}
	})
	mustAuditAt(m)
}

// Live children, zombies and processes that do not exist are three things.
func TestSessionsOfIdentified(t *testing.T) {
	c := sleeper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := Identify(c.Process.Pid)
	if start, _ := startTime(c.Process.Pid); err != nil ||
		p != (Process{PID: c.Process.Pid, Start: start}) || start == 0 {
		t.Errorf("a child: %+v, %v; want start time %d", p, err, start)
	}
	if p, err := Identify(Self().PID); err != nil || p != Self() {
		t.Errorf("this process: %+v, %v", p, err)
	}
	_ = c.Process.Kill()
	lab.Eventually(t, "the zombie is none", func() bool {
		p,
			err = Identify(c.Process.Pid)
		return err == unix.ESRCH
	})
	if p != (Process{}) {
		t.Errorf("a zombie: %+v", p)
	}
	_ = c.Wait()
	for _, pid := range []int{c.Process.Pid, 0, -1, maxPID + 1} {
		if p, err := Identify(pid); err != unix.ESRCH || p != (Process{}) {
			t.Errorf("process %d: %+v, %v; want ESRCH", pid, p, err)
		}
	}
}

// FreeExcept frees what is not claimed, and nothing of other processes, not even of one with the
// same pid.
func TestSessionsAreKept(t *testing.T) {
	l := newLedger(t, MinClients)
	room := aRoom()
	others := []Process{nobody, {PID: room.PID, Start: room.Start + 1, Shared: true},
		{PID: room.PID, Start: 0, Shared: true}, {PID: 1, Start: room.Start}}
	claimed, left := map[Session]bool{}, map[Session]bool{}
	for n := range 300 {
		must(t, l, func(tx *Tx) {
			p := room
			if n%3 == 0 {
				p = others[n/3%len(others)]
			}
			s, _ := tx.Enter(from(hostN(n%7)), p)
			if n%10 == 0 {
				tx.Serve(s)
			}
			if n%50 == 1 { // an MTA's
				p = Process{PID: 1}
				s, _ = tx.Transfer(s, p)
			}
			if p == room && n%2 == 0 {
				claimed[s] = true
			}
			left[s] = p != room || claimed[s]
		})
	}
	must(t, l, func(tx *Tx) {
		asked := 0
		freed := tx.FreeExcept(room, func(s Session) bool {
			asked++
			return claimed[s]
		})
		if want := 96; freed != want || asked != freed+len(claimed) {
			t.Errorf("%d freed, asked for %d; want %d, %d", freed, asked, want, want+len(claimed))
		}
		if again := tx.FreeExcept(room, func(s Session) bool { return claimed[s] }); again != 0 {
			t.Errorf("then %d more", again)
		}
		for i := range l.liveSlots() {
			if s := tx.token(i); !left[s] {
				t.Errorf("it has not been freed: %+v", s)
			} else {
				left[s] = false
			}
		}
		for s, lost := range left {
			if lost {
				t.Errorf("freed all the same: %+v", s)
			}
		}
		if err := audit(l); err != nil {
			t.Error(err)
		}
		if n := tx.FreeExcept(room, func(Session) bool { return false }); n != len(claimed) {
			t.Errorf("of one that claims none %d are freed; want %d", n, len(claimed))
		}
	})
	mustAudit(t, l)
}

// A ledger of another size knows the sessions by the tokens of the one before, as far as it has
// those slots.
func TestSessionsKeepTheirTokens(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	l, _ := mustOpen(t, path, 16384) // 8192 slots
	now := Now()
	var all []Session
	for n := range 4200 {
		now = now.After(time.Millisecond)
		mustAt(t, l, now, func(tx *Tx) {
			a := from(hostN(n % 100))
			a.Delay = longestWait
			s, _ := tx.Enter(a, aRoom())
			all = append(all, s)
		})
	}
	for n := 0; n < 3000; n += 2 {
		mustAt(t, l, now, func(tx *Tx) { tx.Leave(all[n]) })
	}
	live := func(n int) bool { return n >= 3000 || n%2 == 1 }
	for _, clients := range []int{65536, MinClients} {
		l, _ = mustOpen(t, path, clients)
		for n, s := range all {
			mustAt(t, l, now, func(tx *Tx) {
				want := live(n) && n < int(l.geo.slots)
				if i := tx.slotOf(s); (i >= 0) != want || want && tx.token(i) != s {
					t.Fatalf("clients=%d, session %d: slot %d; want one: %v", clients, n, i, want)
				}
			})
		}
		mustAt(t, l, now, func(tx *Tx) {
			sessions := tx.Sessions()
			if len(sessions) != 2700 {
				t.Errorf("clients=%d: %d sessions; want 2700", clients, len(sessions))
			}
			for _, s := range sessions {
				if s.Left != longestWait-s.Age || !s.Process.Shared {
					t.Fatalf("clients=%d: %+v", clients, s)
				}
			}
		})
		mustAudit(t, l)
	}
	mustAt(t, l, now, func(tx *Tx) {
		mine := map[Session]bool{}
		for _, s := range all {
			mine[s] = true
		}
		n := tx.FreeExcept(aRoom(), func(s Session) bool { return mine[s] })
		if n != 4200-minSlots {
			t.Errorf("%d were given other slots; want %d", n, 4200-minSlots)
		}
	})
	mustAudit(t, l)
}
