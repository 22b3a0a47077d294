package ledger

import (
	"bytes"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onDisk is the size of the ledger's file, and how much of it is allocated on the disk.
func onDisk(t testing.TB, l *Ledger) (size, allocated int64) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(l.fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Size, st.Blocks * 512
}

// The file has its size from the start, and no hole that would cause a SIGBUS on a full disk.
func TestBoundedOnDisk(t *testing.T) {
	for _, clients := range []int{MinClients, MinClients + 1, 65536} {
		l := newLedger(t, clients)
		size, allocated := onDisk(t, l)
		if want := int64(geometryFor(clients).size()); size != want || allocated < want {
			t.Errorf("clients=%d: %d bytes, %d allocated; want %d", clients, size, allocated, want)
		}
		if l.records() < clients {
			t.Errorf("clients=%d: room for %d", clients, l.records())
		}
	}
	for _, clients := range []int{-1, 0, MinClients - 1, MaxClients + 1} {
		if _, _, err := Open(ownDir(t)+"/ledger", clients, ThisBoot()); err == nil {
			t.Errorf("clients=%d was accepted", clients)
		}
	}
}

// On a file system that cannot allocate, zeros are written.
func TestBoundedByWriting(t *testing.T) {
	const size = 3*256*page + page
	f, err := os.Create(ownDir(t) + "/zeros")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := writeZeros(int(f.Fd()), size); err != nil {
		t.Fatal(err)
	}
	size1, allocated := onDisk(t, &Ledger{fd: int(f.Fd())})
	if size1 != size || allocated < size {
		t.Errorf("%d bytes, %d allocated; want %d", size1, allocated, size)
	}
}

// meeting is n hosts whose records can only be in the same two buckets, 32 records. No two of them
// are in one wide network.
func meeting(t testing.TB, l *Ledger, n int) []netip.Addr {
	t.Helper()
	var hosts []netip.Addr
	var at [2]int
	for i := 0; len(hosts) < n; i++ {
		host := netip.AddrFrom4([4]byte{byte(i), byte(i >> 8), byte(i >> 24), byte(i >> 16)})
		near := func(h netip.Addr) bool {
			return h.As4()[0] == host.As4()[0] && h.As4()[1] == host.As4()[1]
		}
		if slices.ContainsFunc(hosts, near) {
			continue
		}
		b := l.buckets(keyOf(from(host).Network))
		if len(hosts) == 0 && b[0] != b[1] {
			at = b
		}
		if b == at || b == [2]int{at[1], at[0]} {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// The least important record is replaced first: the expired, old history, the known, the block that
// ends soonest, the trusted; one blocked by hand only for another, one with a live session never.
func TestBoundedOrder(t *testing.T) {
	const places = 2 * ways
	l := newLedger(t, MinClients)
	start := Now()
	now := start.After(40 * 24 * time.Hour)
	hosts := meeting(t, l, 2*places)
	// In the order in which they have to go. What was done to the hosts tells them apart, not the
	// time.
	cases := []struct {
		name string
		at   Moment
		do   func(*Tx, Arrival)
	}{
		{"nothing but an arrival, 40 days ago", start,
			func(tx *Tx, a Arrival) { leaveAtOnce(tx, a) }},
		{"an old strike", start.After(time.Hour),
			func(tx *Tx, a Arrival) { tx.Strike(a.Network, "early", 1, threeStrikes) }},
		{"known until yesterday", start.After(2 * time.Hour),
			func(tx *Tx, a Arrival) { tx.Remember(a.Network, 38*24*time.Hour) }},
		{"nothing but an arrival, two days ago", now.After(-48 * time.Hour),
			func(tx *Tx, a Arrival) { leaveAtOnce(tx, a) }},
		{"an old block, which makes the next longer", start.After(20 * 24 * time.Hour),
			func(tx *Tx, a Arrival) {
				tx.Block(a.Network, time.Hour, "test", Penalty{})
			}},
		{"a bad recipient two hours ago", now.After(-2 * time.Hour),
			func(tx *Tx, a Arrival) { tx.BadRcpt(a.Network, 24*time.Hour) }},
		{"a strike an hour ago", now.After(-time.Hour),
			func(tx *Tx, a Arrival) { tx.Strike(a.Network, "early", 1, threeStrikes) }},
		{"an arrival just now", now, func(tx *Tx, a Arrival) { leaveAtOnce(tx, a) }},
		{"known for a minute", now.After(-2 * time.Hour),
			func(tx *Tx, a Arrival) { tx.Remember(a.Network, 2*time.Hour+time.Minute) }},
		{"known for a day", now.After(-2 * time.Hour),
			func(tx *Tx, a Arrival) { tx.Remember(a.Network, 26*time.Hour) }},
		{"blocked for a minute", now.After(-time.Hour), func(tx *Tx, a Arrival) {
			tx.Block(a.Network, time.Hour+time.Minute, "test", Penalty{})
		}},
		{"blocked for a day", now.After(-20 * 24 * time.Hour), func(tx *Tx, a Arrival) {
			tx.Block(a.Network, 21*24*time.Hour, "test", Penalty{})
		}},
		{"delivered mail", now.After(-3 * time.Hour), func(tx *Tx, a Arrival) {
			tx.Remember(a.Network, 4*time.Hour)
			tx.Delivered(a.Network)
		}},
		{"delivered mail lately", now, func(tx *Tx, a Arrival) {
			tx.Remember(a.Network, 2*time.Hour)
			tx.Delivered(a.Network)
		}},
		{"came in three hours more", now, func(tx *Tx, a Arrival) {
			tx.Remember(a.Network, time.Hour)
			tx.l.record(tx.l.find(keyOf(a.Network))).visits = trustedVisits
		}},
		{"came in a day's hours", now, func(tx *Tx, a Arrival) {
			tx.Remember(a.Network, time.Minute)
			tx.l.record(tx.l.find(keyOf(a.Network))).visits = 24
		}},
	}
	order := make([]int, 0, len(cases)) // times only go forward, so they are done in another order
	for i := range cases {
		order = append(order, i)
	}
	for i := range order {
		for j := i; j > 0 && cases[order[j]].at.Boot < cases[order[j-1]].at.Boot; j-- {
			order[j], order[j-1] = order[j-1], order[j]
		}
	}
	for _, i := range order {
		mustAt(t, l, cases[i].at, func(tx *Tx) { cases[i].do(tx, from(hosts[i])) })
	}
	for n := len(cases); n < places; n++ { // the others never go
		mustAt(t, l, now, func(tx *Tx) {
			if _, ok := tx.Enter(from(hosts[n]), Self()); !ok {
				t.Fatal("no slot")
			}
		})
	}
	present := func(host netip.Addr) bool { return l.find(keyOf(from(host).Network)) >= 0 }
	for i, d := range cases {
		for n := range places {
			if found := present(hosts[n]); found != (n >= i) {
				t.Fatalf("before %q goes, host %d is there: %v", d.name, n, found)
			}
		}
		mustAt(t, l, now, func(tx *Tx) { tx.Enter(from(hosts[places+i]), Self()) })
	}
	checkAllLive(t, l, now, hosts[places+len(cases)])
	mustAudit(t, l)
}

func leaveAtOnce(tx *Tx, a Arrival) {
	s, _ := tx.Enter(a, Self())
	tx.Leave(s)
}

// checkAllLive has a client arrive for which there is no record, since all other clients there are
// live.
func checkAllLive(t *testing.T, l *Ledger, now Moment, host netip.Addr) {
	t.Helper()
	before := bytes.Clone(l.mem[l.geo.bucketsAt():])
	mustAt(t, l, now, func(tx *Tx) {
		if d := tx.Block(from(host).Network, time.Hour, "test", Penalty{}); d != 0 {
			t.Errorf("blocked for %v in the place of a live session", d)
		}
		if n, d := tx.Strike(from(host).Network, "test", 1, threeStrikes); n != 1 || d != 0 {
			t.Errorf("%d strikes, block of %v, in the place of a live session", n, d)
		}
		if n := tx.BadRcpt(from(host).Network, time.Hour).Bad; n != 1 {
			t.Errorf("%d bad recipients in the place of a live session", n)
		}
		tx.Remember(from(host).Network, time.Hour)
		s, ok := tx.Enter(from(host), Self())
		if !ok {
			t.Error("a client without a record is not served")
		}
		tx.Serve(s)
		if err := audit(l); err != nil {
			t.Error(err)
		}
		tx.Leave(s)
	})
	if !bytes.Equal(before, l.mem[l.geo.bucketsAt():]) {
		t.Error("a record with a live session was changed")
	}
}

// Work that needs more than the whole undo log is a bug that does no harm: it counts as damage, and
// the next process that opens the ledger finds the state before the work.
func TestBoundedWork(t *testing.T) {
	l := newLedger(t, MinClients)
	before := content(l)
	err := l.Do(Now(), func(tx *Tx) {
		for n := range 1000 {
			tx.Remember(networkN(n), time.Hour)
		}
	})
	if err != ErrLost {
		t.Errorf("a thousand records in one work: %v; want %v", err, ErrLost)
	}
	again, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	must(t, again, func(*Tx) {})
	// Only the boot has begun.
	if at := l.geo.bucketsAt(); !bytes.Equal(before[at:], content(again)[at:]) {
		t.Error("the work is half done")
	}
	mustAudit(t, again)
}

// Nothing important is lost before the ledger is nearly full.
func TestBoundedLoad(t *testing.T) {
	l := newLedger(t, 65536)
	blocked := 0
	for _, tt := range []struct{ percent, lost int }{{80, 0}, {90, 60}} {
		for blocked < l.records()*tt.percent/100 {
			must(t, l, func(tx *Tx) {
				for range 100 {
					tx.Block(networkN(blocked), time.Hour, "test", Penalty{})
					tx.checkpoint()
					blocked++
				}
			})
		}
		lost := 0
		for n := range blocked {
			if l.find(keyOf(networkN(n))) < 0 {
				lost++
			}
		}
		t.Logf("%d %% full: %d of %d blocks lost", tt.percent, lost, blocked)
		if lost > tt.lost {
			t.Errorf("%d %% full: %d of %d blocks lost; want %d at most", tt.percent, lost, blocked,
				tt.lost)
		}
	}
}
