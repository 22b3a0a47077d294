package ledger

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// inForce are the blocked networks, the latest first.
func inForce(t testing.TB, l *Ledger, now Moment) (networks []netip.Prefix) {
	t.Helper()
	blocks, err := l.Blocks(now)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(blocks, func(a, b BlockedNetwork) int { return int(a.Age - b.Age) })
	for _, b := range blocks {
		networks = append(networks, b.Network)
	}
	return networks
}

// trim trims as wanted and fails the test on an error.
func trim(t testing.TB, l *Ledger, now Moment, most int) []BlockedNetwork {
	t.Helper()
	dropped, err := l.Trim(now, most)
	if err != nil {
		t.Fatal(err)
	}
	return dropped
}

// Of blocks of all ages and lengths the oldest end, and no others. Those that have expired, were
// ended or set again count as what they are.
func TestTrimOldestFirst(t *testing.T) {
	const blocks, most = 400, 120
	l := newLedger(t, 2*MinClients)
	now := Now()
	var want []netip.Prefix // the latest first
	for i, n := range rand.Perm(blocks) {
		now = now.After(time.Minute)
		mustAt(t, l, now, func(tx *Tx) {
			tx.Block(networkN(n), []time.Duration{24 * time.Hour, 9 * time.Hour, time.Minute,
				MaxBlock}[i%4], fmt.Sprint("n", n), Penalty{})
		})
		if i%4 != 2 { // those are over when the next begins
			want = slices.Insert(want, 0, networkN(n))
		}
	}
	ended, renewed := want[30], want[250]
	if _, err := l.Unblock(now, ended); err != nil {
		t.Fatal(err)
	}
	now = now.After(time.Minute)
	mustAt(t, l, now, func(tx *Tx) { tx.Block(renewed, time.Hour, "again", Penalty{}) })
	want = slices.DeleteFunc(want, func(n netip.Prefix) bool { return n == ended })

	dropped := trim(t, l, now, most)
	if got := inForce(t, l, now); !slices.Equal(got, want[:most]) {
		t.Errorf("after it run\n%v; want\n%v", got, want[:most])
	}
	var gone []netip.Prefix
	for _, b := range slices.Backward(dropped) {
		gone = append(gone, b.Network)
		reason := fmt.Sprint("n", int(b.Network.Addr().As4()[2])<<8|int(b.Network.Addr().As4()[3]))
		if b.Network == renewed {
			reason = "again"
		}
		if b.Reason != reason || b.Left <= 0 || b.Age < time.Minute || b.Times != 1 {
			t.Errorf("dropped: %+v", b)
		}
	}
	if !slices.Equal(gone, want[most:]) {
		t.Errorf("it ended\n%v; want\n%v", gone, want[most:])
	}
	mustAt(t, l, now, func(tx *Tx) {
		if s := tx.Look(Arrival{Client: netip.AddrPortFrom(gone[0].Addr(), 25),
			Network: gone[0]}); s.Blocked {
			t.Errorf("one that was ended is blocked: %+v", s)
		}
	})
	if n := l.ring.bound(); n != most {
		t.Errorf("after it the bound is %d; want %d", n, most)
	}
	mustAudit(t, l)
}

// A trimmed block is not forgiven: the network's next block is twice as long.
func TestTrimForgivesNobody(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	for n := range 2 {
		mustAt(t, l, now.After(time.Duration(n)*time.Second),
			func(tx *Tx) { tx.Block(networkN(n), 0, "test", threeStrikes) })
	}
	now = now.After(time.Minute)
	if dropped := trim(t, l, now, 1); len(dropped) != 1 || dropped[0].Network != networkN(0) {
		t.Fatalf("dropped: %+v", dropped)
	}
	mustAt(t, l, now, func(tx *Tx) {
		if d := tx.Block(networkN(0), 0, "test", threeStrikes); d != 2*threeStrikes.For {
			t.Errorf("the next block is %v long; want %v", d, 2*threeStrikes.For)
		}
	})
}

// Trim looks only when there may be too many blocks, at most once a second over all processes, and
// then it knows how many there are.
func TestTrimLooksRarely(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	now := Now()
	blocks := func(from, n int, d time.Duration) {
		for i := range n {
			mustAt(t, l, now, func(tx *Tx) { tx.Block(networkN(from+i), d, "test", Penalty{}) })
		}
	}
	looked := func() bool { return l.ring.trimAt == l.state.lastTick+trimEvery }
	blocks(0, 100, time.Minute)
	for _, most := range []int{100, 0, -5} {
		if dropped := trim(t, l, now, most); dropped != nil || looked() {
			t.Errorf("100 blocks, %d at most: %d dropped", most, len(dropped))
		}
	}
	now = now.After(time.Minute) // they are over, unnoticed
	blocks(100, 20, time.Hour)
	if dropped := trim(t, l, now, 50); dropped != nil || !looked() || l.ring.bound() != 20 {
		t.Errorf("20 blocks, 50 at most: %d dropped; the bound is %d", len(dropped), l.ring.bound())
	}
	blocks(200, 40, time.Hour)
	for range 3 {
		if dropped := trim(t, other, now.After(trimEvery*time.Millisecond-time.Millisecond),
			50); dropped != nil {
			t.Errorf("%d dropped within a second", len(dropped))
		}
	}
	now = now.After(trimEvery * time.Millisecond)
	if dropped := trim(t, other, now, 50); len(dropped) != 10 {
		t.Errorf("%d dropped after a second; want 10", len(dropped))
	}
	// A time that no Trim has set is no reason to wait.
	l.ring.trimAt = 1 << 60
	if dropped := trim(t, l, now, 45); len(dropped) != 5 {
		t.Errorf("%d dropped; want 5", len(dropped))
	}
	// Nor is an impossible number of blocks believed.
	for _, counted := range []uint64{math.MaxUint64, math.MaxUint64 - 40, 1 << 62, 46} {
		l.ring.counted, l.ring.countedAt = counted, l.ring.last.Load()-50
		if trim(t, l, now.After(time.Second), 45); l.ring.bound() != 45 {
			t.Errorf("of %d blocks counted: the bound is %d; want 45", counted, l.ring.bound())
		}
		now = now.After(2 * time.Second)
	}
}

// While there is nothing to trim it is one operation, however large the ledger is; otherwise many
// short ones.
func TestTrimIsShortWork(t *testing.T) {
	l := newLedger(t, 65536)
	begin(t, l, numbers(0, 300)...)
	now := Now()
	turns := func(most int) uint64 {
		before := l.undo.holder.Load() >> 32
		trim(t, l, now, most)
		return l.undo.holder.Load()>>32 - before
	}
	if n := turns(300); n != 1 {
		t.Errorf("with nothing to trim it has the lock %d times; want once", n)
	}
	if n := turns(250); n != 3+50/16+1 {
		t.Errorf("it has the lock %d times; want once for each 16 that end, and three more", n)
	}
}

const trimMost = 100

// Automatic blocks end first, those of a crowd before others; blocks by hand only when no others
// are left.
func TestTrimOrder(t *testing.T) {
	const most = 320 // a twentieth of which a /16 may hold before others
	l, now := newLedger(t, 2*MinClients), Now()
	block := func(first, end int, network func(int) netip.Prefix, by func(*Tx, netip.Prefix)) {
		t.Helper()
		for n := first; n < end; n++ {
			now = now.After(time.Second)
			mustAt(t, l, now, func(tx *Tx) { by(tx, network(n)) })
		}
	}
	auto := func(tx *Tx, n netip.Prefix) { tx.Block(n, 24*time.Hour, "x", Penalty{}) }
	hand := func(tx *Tx, n netip.Prefix) { tx.BlockByHand(n, 24*time.Hour, "x", Penalty{}) }
	side := func(n int) netip.Prefix { return crowdedV4(n, true) }
	left := func(first, end int, network func(int) netip.Prefix) (n int) {
		t.Helper()
		in := inForce(t, l, now)
		for i := first; i < end; i++ {
			if slices.Contains(in, network(i)) {
				n++
			}
		}
		return n
	}
	check := func(when string, network func(int) netip.Prefix, first, end, want int) {
		t.Helper()
		if n := left(first, end, network); n != want {
			t.Errorf("%s: %d blocks are left; want %d", when, n, want)
		}
	}
	block(0, 50, honest, hand)
	block(50, 250, honest, auto)
	block(0, 120, side, auto)
	trim(t, l, now, most)
	check("by hand", honest, 0, 50, 50)
	check("all over", honest, 50, 250, 200)
	check("the oldest of the crowd", side, 0, 50, 0)
	check("the others of the crowd", side, 50, 120, 70)

	block(250, 350, honest, auto)
	trim(t, l, now.After(2*time.Second), most)
	check("the crowd has its share", side, 100, 120, 20)
	check("all over, the oldest", honest, 50, 100, 0)
	check("all over, the others", honest, 100, 350, 250)

	block(350, 700, honest, hand)
	trim(t, l, now.After(4*time.Second), most)
	check("nothing but by hand", honest, 380, 700, 320)
	check("the oldest by hand", honest, 0, 50, 0)
	check("the next by hand", honest, 350, 380, 0)
	mustAudit(t, l)
}

// A block that an administrator has set by hand meanwhile does not end in favour of others.
func TestTrimSetByHandMeanwhile(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) {
		tx.Block(networkN(1), time.Hour, "x", Penalty{})
		i := l.find(keyOf(networkN(1)))
		b := runningBlock{at: l.record(i).blockedAt, record: i}
		l.change(i).marks |= byHand
		if tx.endBlock(b) {
			t.Error("it was ended")
		}
		if b.byHand = true; !tx.endBlock(b) {
			t.Error("by hand, it was not ended for others by hand")
		}
	})
}
