package ledger

import (
	"math"
	"testing"
	"time"
)

const roomful = 20_000

// aRoom is this process as one with many sessions.
func aRoom() Process {
	p := Self()
	p.Shared = true
	return p
}

// roomOf makes a ledger of the default size in which p has n sessions, each of another network.
func roomOf(t testing.TB, n int, p Process) (*Ledger, []Session) {
	t.Helper()
	l := newLedger(t, 65536)
	return l, fill(t, l, Now(), n, p)
}

// fill enters n more sessions of p, each of another network.
func fill(t testing.TB, l *Ledger, now Moment, n int, p Process) (all []Session) {
	t.Helper()
	for len(all) < n {
		mustAt(t, l, now, func(tx *Tx) {
			for range min(10, n-len(all)) {
				s, ok := tx.Enter(from(hostN(len(all))), p)
				if !ok {
					t.Fatalf("no slot for session %d", len(all))
				}
				all = append(all, s)
				tx.checkpoint()
			}
		})
	}
	return all
}

// sweepDue is a sweep while a client waits, at a time when every start time is due.
func sweepDue(tx *Tx) {
	tx.sweep(livenessCache{now: tx.now + 2*identityTTL, readsLeft: readsPerSweep})
}

// A sweep asks the kernel about a room once, not about each of its 20,000 sessions. The session
// that it asks for remembers when its start time was read.
func TestSessionsOfARoomAreSweptAtOnce(t *testing.T) {
	l, _ := roomOf(t, roomful, aRoom())
	var at int64
	must(t, l, func(tx *Tx) {
		at = tx.now + 2*identityTTL // all start times ought to be read again
		tx.sweep(livenessCache{now: at, readsLeft: roomful})
	})
	asked := 0
	for i := range l.liveSlots() {
		if l.slot(i).checked == at {
			asked++
		}
	}
	if n := l.state.serving + l.state.waiting; asked != 1 || n != roomful {
		t.Errorf("asked %d times, %d are left; want once, and all", asked, n)
	}
}

// askAll is the least cost of a sweep that asks the kernel for each slot.
func askAll(l *Ledger) {
	for i := range l.liveSlots() {
		l.slot(i).exists()
	}
}

// BenchmarkSweep is a sweep over a full room, and one over as many sessions with 300 MTAs among
// them; beside it, asking the kernel for each slot.
func BenchmarkSweep(b *testing.B) {
	l, all := roomOf(b, roomful, aRoom())
	sweep := func(b *testing.B) {
		for b.Loop() {
			must(b, l, sweepDue)
		}
	}
	b.Run("room", sweep)
	b.Run("totals", func(b *testing.B) {
		for b.Loop() {
			must(b, l, func(tx *Tx) { tx.Totals() })
		}
	})
	b.Run("sessions", func(b *testing.B) {
		for b.Loop() {
			must(b, l, func(tx *Tx) { tx.Sessions() })
		}
	})
	b.Run("asking", func(b *testing.B) {
		for b.Loop() {
			askAll(l)
		}
	})
	for n := 0; n < len(all); n += len(all) / 300 {
		must(b, l, func(tx *Tx) { tx.Transfer(all[n], Self()) })
	}
	b.Run("room and MTAs", sweep)
}

// Whatever is between its slots, a room costs one start time: its own MTAs, and the room before it.
func TestSessionsOfARoomAreIdentifiedOnce(t *testing.T) {
	l := newLedger(t, MinClients)
	before := start(t, "room", ledgerPath(t, l), "wait")
	before.line(t)
	old, err := Identify(before.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	old.Shared = true
	const each = 400
	now := Now()
	for range each {
		mustAt(t, l, now, func(tx *Tx) {
			tx.Enter(from(hostN(1)), aRoom())
			tx.Enter(from(hostN(1)), Self())
			tx.Enter(from(hostN(1)), old)
		})
	}
	mustAt(t, l, now, func(tx *Tx) {
		for _, tt := range []struct {
			what  string
			cache livenessCache
			reads int
		}{
			{"just entered", livenessCache{now: tx.now}, 0},
			{"just entered, rechecked", livenessCache{now: tx.now, recheckRooms: true}, 2},
			{"due", livenessCache{now: tx.now + identityTTL}, 2 + each},
			// Only the first slot of a room remembers it.
			{"just identified", livenessCache{now: tx.now + identityTTL}, 0},
		} {
			c := tt.cache
			c.readsLeft = 5 * each
			for i := range l.liveSlots() {
				if !c.alive(l.slot(i)) {
					t.Fatalf("%s: slot %d is taken for dead", tt.what, i)
				}
			}
			if reads := 5*each - c.readsLeft; reads != tt.reads {
				t.Errorf("%s: %d start times read; want %d", tt.what, reads, tt.reads)
			}
		}
	})
}

// What was found out about one process does not count for another with the same pid, nor in the
// next sweep.
func TestSessionsOfARoomAndReusedPID(t *testing.T) {
	l := newLedger(t, MinClients)
	room := aRoom()
	gone := Process{PID: room.PID, Start: room.Start + 1, Shared: true}
	now := Now()
	mustAt(t, l, now, func(tx *Tx) {
		for range 3 {
			tx.Enter(from(hostN(1)), room)
			tx.Enter(from(hostN(2)), gone)
			tx.checkpoint()
		}
	})
	for _, tt := range []struct {
		what  string
		after time.Duration
		look  func(*Tx)
		want  int // that live
	}{
		{"an arrival, at once", 0, func(tx *Tx) {
			tx.sweep(livenessCache{now: tx.now,
				readsLeft: readsPerSweep})
		}, 6},
		{"an arrival that may read no start time", 2 * time.Second,
			func(tx *Tx) { tx.sweep(livenessCache{now: tx.now}) }, 6},
		{"an arrival", 2 * time.Second, func(tx *Tx) {
			tx.sweep(livenessCache{now: tx.now,
				readsLeft: readsPerSweep})
		}, 3},
		{"a client at its limit", 2 * time.Second, func(tx *Tx) {
			a := from(hostN(2))
			a.Limits.Conns = 1
			if s := tx.Look(a); s.Conns != 0 {
				t.Errorf("%d sessions of one that is gone", s.Conns)
			}
		}, 3},
		{"one that begins after it", 0, func(tx *Tx) { tx.Totals() }, 3},
		{"an administrator", 0, func(tx *Tx) { tx.Sessions() }, 3},
	} {
		t.Run(tt.what, func(t *testing.T) {
			path := ledgerPath(t, l) + ".copy"
			copyFile(t, ledgerPath(t, l), path)
			l, _ := mustOpen(t, path, MinClients)
			mustAt(t, l, now.After(tt.after), func(tx *Tx) {
				tt.look(tx)
				n := 0
				for range l.liveSlots() {
					n++
				}
				if n != tt.want {
					t.Errorf("%d sessions are left; want %d", n, tt.want)
				}
				if err := audit(l); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Counts are believed for a while after a sweep, longer after a long one, but for a second at most.
func TestSessionsAreBelievedForAWhile(t *testing.T) {
	for took, want := range map[time.Duration]int64{
		0: sweepEvery, time.Millisecond: sweepEvery, 3 * time.Millisecond: 60,
		40 * time.Millisecond: 800, 2 * time.Second: sweepLongest, time.Hour: sweepLongest,
	} {
		if is := believedFor(took); is != want {
			t.Errorf("after a sweep of %v: believed for %d ms; want %d", took, is, want)
		}
	}
	a := from(hostN(2))
	a.Limits.Waiting = 1
	for ahead, want := range map[int64]int{
		0: 0, 1: 1, sweepLongest: 1, sweepLongest + 1: 0, math.MaxInt64 / 2: 0,
		math.MinInt64 / 2: 0,
	} {
		l := newLedger(t, MinClients)
		must(t, l, func(tx *Tx) {
			tx.Enter(from(hostN(1)), nobody)
			tx.state().sweepAt = tx.now + ahead
			if s := tx.Look(a); s.Waiting != want {
				t.Errorf("%d ms before the next sweep %d wait; want %d", ahead, s.Waiting, want)
			}
		})
	}
}

// When a room of 20,000 dies all its sessions go with the next sweep, and no others.
func TestSessionsOfAFullRoomThatDies(t *testing.T) {
	looks := map[string]func(*Tx){
		"a process that begins after it": func(tx *Tx) { tx.Totals() },
		"a client at the limit": func(tx *Tx) {
			a := from(hostN(1))
			a.Limits.Waiting = roomful
			tx.Look(a)
		},
	}
	for name, look := range looks {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t, 65536)
			c := start(t, "room", ledgerPath(t, l), "wait")
			c.line(t)
			room, err := Identify(c.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			room.Shared = true
			now := Now() // all the time, so that only the kernel knows of the death
			all := fill(t, l, now, roomful, room)
			const kept = 20
			for n := range kept {
				mustAt(t, l, now, func(tx *Tx) {
					s, ok := tx.Transfer(all[n*roomful/kept], Self())
					if tx.Serve(s); !ok {
						t.Fatal("not handed")
					}
				})
			}
			mustAt(t, l, now, look)
			if s := l.state; int(s.waiting) != roomful-kept || s.serving != kept {
				t.Errorf("while it lives: %d waiting, %d serving", s.waiting, s.serving)
			}
			_ = c.kill()
			l.state.sweepAt = 0 // however long the last sweep took
			mustAt(t, l, now, look)
			if s := l.state; s.waiting != 0 || s.serving != kept {
				t.Errorf("after its death: %d waiting, %d serving; want 0, %d", s.waiting,
					s.serving, kept)
			}
			for n := range roomful {
				want := 0
				if n%(roomful/kept) == 0 {
					want = 1
				}
				if s := l.record(l.find(keyOf(networkN(n)))); int(s.sessions) != want {
					t.Fatalf("host %d has %d sessions; want %d", n, s.sessions, want)
				}
			}
			mustAudit(t, l)
		})
	}
}
