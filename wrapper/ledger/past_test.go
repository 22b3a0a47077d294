package ledger

import (
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"testing"
	"time"
)

// What is reported of the last hour is what was counted in the last 60 to 70 minutes, however the
// verdicts are spread, whether they were counted with the lock or without, and after a reboot.
func TestCountsOfLate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const minute = time.Minute
	for _, gap := range []time.Duration{time.Second, minute, 8 * minute, 100 * minute} {
		l := newLedger(t, MinClients)
		now := Now() // in whole ms, as the ledger's time is
		now = Moment{now.Boot.Truncate(time.Millisecond), now.Wall.Truncate(time.Millisecond)}
		began := now
		var counted []time.Time
		for range 300 {
			now = now.After(time.Duration(rnd.Int64N(gap.Milliseconds())) * time.Millisecond)
			count := func(t *Tx) { t.Count(4) }
			if rnd.IntN(3) == 0 && !l.PastDue(now) {
				l.CountUnlocked(4)
				count = func(*Tx) {}
			}
			if err := l.Do(now, count); err != nil {
				t.Fatal(err)
			}
			counted = append(counted, now.Wall)

			n, _, err := l.Report(now)
			if err != nil {
				t.Fatal(err)
			}
			since := n.Recent.Since
			if age := now.Wall.Sub(since); age > 70*time.Minute ||
				age < time.Hour && since.Sub(began.Wall) > gap {
				t.Fatalf("of the last %v, %v after the beginning", age, now.Wall.Sub(began.Wall))
			}
			want := 0
			for _, at := range counted {
				if !at.Before(since) {
					want++
				}
			}
			if got := n.Recent.Verdicts[4]; got != uint64(want) || n.Recent.Verdicts[5] != 0 {
				t.Fatalf("gaps of %v: %d counted since %v; want %d", gap, got, since, want)
			}
			if !n.Since.Equal(counted[0]) {
				t.Fatalf("counts began at %v; want %v", n.Since, counted[0])
			}
		}
	}
}

// Nothing is known of the last hour as long as no totals were kept, and damaged bytes harm nobody.
func TestCountsOfLateUnknown(t *testing.T) {
	l := newLedger(t, MinClients)
	l.CountUnlocked(3) // an older program
	n, _, err := l.Report(Now())
	if err != nil || !n.Since.IsZero() || !n.Recent.Since.IsZero() {
		t.Errorf("since %v, of late since %v, %v", n.Since, n.Recent.Since, err)
	}
	must(t, l, func(tx *Tx) { tx.Count(3) })
	n, _, _ = l.Report(Now())
	if !n.Since.IsZero() || n.Recent.Since.IsZero() || n.Recent.Verdicts[3] != 1 {
		t.Errorf("since %v, of late since %v, %v", n.Since, n.Recent.Since, n.Recent.Verdicts)
	}
	must(t, l, func(tx *Tx) { tx.state().pastDue = maxTime })
	for i := range l.past.snapshots {
		l.past.snapshots[i] = snapshot{at: 1 << 62}
	}
	must(t, l, func(tx *Tx) { tx.Count(3) })
	if n, _, _ = l.Report(Now()); n.Recent.Verdicts[3] != 1 {
		t.Errorf("%d of late; want the one since the damage", n.Recent.Verdicts[3])
	}
}

// A snapshot that a killed process has half taken is undone.
func TestCountsOfLateUndone(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) { tx.Count(1) })
	before := *l.past
	later := Now().After(time.Hour)
	func() {
		defer func() { _ = recover() }()
		_ = l.Do(later, func(tx *Tx) {
			tx.Count(1)
			panic("killed")
		})
	}()
	if *l.past == before {
		t.Fatal("no snapshot was taken")
	}
	if err := l.Do(later, func(*Tx) {}); err != nil || *l.past != before {
		t.Errorf("%v; half a snapshot is there", err)
	}
}

// So is what makes room for the count of a wide network, and such a count with its arrivals.
func TestCountsEvictedByWideNetworks(t *testing.T) {
	l := newLedger(t, MinClients)
	a, hosts := beside(t, l, 2*ways)
	a.Wide, a.WideLimits = false, &[MaxWide]WideLimits{{
		Network: wideKey(a.Client.Addr().As16()).network(), Rate: 10, Per: time.Hour,
	}}
	evicts := func(what string, want [evictions]uint64, do func(tx *Tx)) {
		t.Helper()
		before := l.state.evicted
		must(t, l, do)
		for kind, n := range l.state.evicted {
			if got := n - before[kind]; got != want[kind] {
				t.Errorf("%s: %d of %v; want %d", what, got, Eviction(kind), want[kind])
			}
		}
	}
	for _, host := range hosts[1:] {
		must(t, l, func(tx *Tx) { tx.Remember(from(host).Network, time.Hour) })
	}
	evicts("an empty one", [evictions]uint64{}, func(tx *Tx) {
		tx.Remember(from(hosts[0]).Network, time.Hour)
	})
	evicts("by a count", [evictions]uint64{EvictedKnown: 1}, func(tx *Tx) {
		s, _ := tx.Enter(a, Self())
		tx.Leave(s)
	})
	evicts("of a count", [evictions]uint64{EvictedHistory: 1}, func(tx *Tx) {
		for _, host := range hosts { // the one of them that has lost its record
			tx.Remember(from(host).Network, time.Hour)
			tx.checkpoint()
		}
	})
	mustAudit(t, l)
}

// Each network that makes room for another is counted as what it was, and so is a client for whose
// network there is no room.
func TestCountsEvicted(t *testing.T) {
	l := newLedger(t, MinClients)
	evicted := func() [evictions]uint64 {
		n, _, err := l.Report(Now())
		if err != nil {
			t.Fatal(err)
		}
		return n.Evicted
	}
	fill := func(from int, do func(tx *Tx, n int)) {
		for i := range 4 * MinClients {
			must(t, l, func(tx *Tx) { do(tx, from+i*257) })
		}
	}
	mild := Penalty{Strikes: 9, Within: 1}
	fill(0, func(tx *Tx, n int) { tx.Strike(networkN(n), "test", 1, mild) })
	got := evicted()
	if got[EvictedHistory] < 2*MinClients || got[EvictedKnown]+got[EvictedBlock] > 0 {
		t.Errorf("%v; want histories", got)
	}
	fill(1<<21, func(tx *Tx, n int) { tx.Remember(networkN(n), time.Hour) })
	if got = evicted(); got[EvictedKnown] < 2*MinClients || got[EvictedBlock] > 0 {
		t.Errorf("%v; want known ones, too", got)
	}
	if n, _, _ := l.Report(Now()); n.Unrecorded != 0 {
		t.Errorf("%d without a record", n.Unrecorded)
	}
	fill(1<<22, func(tx *Tx, n int) {
		tx.BlockByHand(networkN(n), time.Hour, "test", Penalty{})
	})
	if got = evicted(); got[EvictedBlock] < 2*MinClients {
		t.Errorf("%v; want blocks, too", got)
	}
	must(t, l, func(tx *Tx) { tx.Enter(from(netip.MustParseAddr("2001:db8::77")), Self()) })
	if n, _, _ := l.Report(Now()); n.Unrecorded != 1 {
		t.Errorf("%d without a record; want 1", n.Unrecorded)
	}
}

// Troubles are counted without the lock, and go with the file.
func TestCountsTroubles(t *testing.T) {
	l := newLedger(t, MinClients)
	path := ledgerPath(t, l)
	l.CountTrouble(Unseen, 2)
	must(t, l, func(*Tx) { l.CountTrouble(KnownRefused, 1) })
	bigger, _ := mustOpen(t, path, 2*MinClients)
	n, _, err := bigger.Report(Now())
	if err != nil || n.Troubles != [troubles]uint64{Unseen: 2, KnownRefused: 1} {
		t.Errorf("%v, %v", n.Troubles, err)
	}
}

// The file has room for all that lies behind the totals of late.
func TestLayoutOfLate(t *testing.T) {
	if end := pastAt + len(bytesOf(new(past))); end > unlockedAt {
		t.Errorf("past ends at %d, unlocked begins at %d", end, unlockedAt)
	}
	if end := unlockedAt + len(bytesOf(new(unlocked))); end > bitmapAt {
		t.Errorf("unlocked ends at %d, the bitmap begins at %d", end, bitmapAt)
	}
	if pastAt != lateAt+len(bytesOf(new(late))) || stateAt+len(bytesOf(new(state))) > undoAt {
		t.Error("totals overlap")
	}
}

// A room says what it is, also after it has opened another ledger.
func TestRoomsSayWhatTheyAre(t *testing.T) {
	l := newLedger(t, MinClients)
	sleeper := exec.Command("/bin/sleep", "600")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	defer func() { _ = sleeper.Wait() }()
	defer sleeper.Process.Kill()
	p, err := Identify(sleeper.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	l.RegisterRoom(p, "9")
	l.NoteConfigured(p, started) // by the room before, in the same place
	l.RegisterRoom(p, "10.11.12-longer-than-its-place")
	h := Handle{Options: Options{Path: ledgerPath(t, l), Clients: MinClients, Room: Self(),
		Build: "1.2"}}
	if err := h.Open(); err != nil {
		t.Fatal(err)
	}
	configured := time.Now().Truncate(time.Millisecond)
	h.NoteConfigured()
	rooms := h.Rooms(Now())
	if len(rooms) != 2 {
		t.Fatalf("%+v; want two", rooms)
	}
	other, own := rooms[0], rooms[1]
	if other.PID != p.PID || other.Build != "10.11.12-longer-" || !other.Configured.IsZero() ||
		other.Started.Sub(started).Abs() > time.Minute {
		t.Errorf("%+v", other)
	}
	check := func(own Room) {
		t.Helper()
		if own.Build != "1.2" || own.Configured.Before(configured) {
			t.Errorf("%+v; want one that was configured since %v", own, configured)
		}
	}
	check(own)
	h.Clients *= 2
	if err := h.Open(); err != nil {
		t.Fatal(err)
	}
	if rooms = h.Rooms(Now()); len(rooms) != 1 {
		t.Fatalf("%+v; want the one that has opened the new file", rooms)
	}
	check(rooms[0])
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}
