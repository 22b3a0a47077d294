package ledger

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// begin blocks each of these hosts, each in an operation of its own.
func begin(t testing.TB, l *Ledger, hosts ...int) {
	t.Helper()
	for _, n := range hosts {
		must(t, l, func(tx *Tx) { tx.Block(networkN(n), time.Hour, "test", Penalty{}) })
	}
}

// numbers are n numbers from the first on.
func numbers(from, n int) (all []int) {
	for i := range n {
		all = append(all, from+i)
	}
	return all
}

func checkWatched(t testing.TB, what string, networks []netip.Prefix, hosts ...int) {
	t.Helper()
	var want []netip.Prefix
	for _, n := range hosts {
		want = append(want, networkN(n))
	}
	if !slices.Equal(networks, want) {
		t.Errorf("%s: blocks have begun on %d networks, %v; want %d, %v", what, len(networks),
			networks, len(want), want)
	}
}

// Whatever begins a block is announced, once, in order, to each watcher; everything else is not.
func TestNews(t *testing.T) {
	l := newLedger(t, MinClients)
	begin(t, l, 99)
	networks, since, all := l.BlocksSince(0)
	if networks != nil || since == 0 || all {
		t.Fatalf("at first: %v, %d, %v", networks, since, all)
	}
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	wide := netip.MustParsePrefix("2001:db8::/32")
	must(t, l, func(tx *Tx) {
		tx.Block(wide, 0, "none", Penalty{}) // for as long as nothing
		tx.Remember(networkN(1), time.Hour)
		tx.BadRcpt(networkN(1), time.Hour)
		tx.Strike(networkN(1), "test", 1, threeStrikes)
		tx.Strike(networkN(1), "test", 1, threeStrikes)
	})
	for _, l := range []*Ledger{l, other} {
		if networks, now, all := l.BlocksSince(since); networks != nil || now != since || all {
			t.Errorf("nothing has begun: %v, %d, %v; the last was %d", networks, now, all, since)
		}
	}
	must(t, l, func(tx *Tx) {
		tx.Strike(networkN(1), "test", 1, threeStrikes) // one too many
		tx.Block(wide, time.Hour, "admin", Penalty{})
		tx.Block(networkN(1), 0, "guard", threeStrikes) // set again
	})
	for _, l := range []*Ledger{other, l} {
		networks, now, all := l.BlocksSince(since)
		if want := []netip.Prefix{networkN(1), wide, networkN(1)}; !slices.Equal(networks, want) ||
			all || now == since {
			t.Errorf("%v have begun, %v; want %v", networks, all, want)
		}
		if networks, again, all := l.BlocksSince(now); networks != nil || again != now || all {
			t.Errorf("asked again: %v, %d, %v", networks, again, all)
		}
	}
}

// As many blocks as fit in the ring are named. One more is too many. After that it goes on as
// before.
func TestNewsMoreThanTheRing(t *testing.T) {
	l := newLedger(t, MinClients)
	_, since, _ := l.BlocksSince(0)
	for _, n := range []int{1, ringSize - 1, ringSize} {
		begin(t, l, numbers(0, n)...)
		networks, now, all := l.BlocksSince(since)
		if all {
			t.Errorf("%d are too many", n)
		}
		checkWatched(t, fmt.Sprint(n), networks, numbers(0, n)...)
		since = now
	}
	for _, n := range []int{ringSize + 1, 3*ringSize + 7} {
		begin(t, l, numbers(0, n)...)
		networks, now, all := l.BlocksSince(since)
		if networks != nil || !all {
			t.Errorf("%d have begun: %d of them, %v; want all and no names", n, len(networks), all)
		}
		since = now
		begin(t, l, 7)
		networks, since, all = l.BlocksSince(since)
		if all {
			t.Error("one is too many")
		}
		checkWatched(t, "after too many", networks, 7)
	}
}

// A number of another ledger is recognized. One of a ledger rebuilt with another size stays valid,
// also through a reboot.
func TestNewsInAnotherLedger(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	l, _ := mustOpen(t, path, MinClients)
	_, since, _ := l.BlocksSince(0)
	begin(t, l, 1, 2)
	l, _ = mustOpen(t, path, 4*MinClients)
	begin(t, l, 3)
	networks, since, all := l.BlocksSince(since)
	if all {
		t.Error("in one of another size: all")
	}
	checkWatched(t, "in one of another size", networks, 1, 2, 3)

	begin(t, l, 4)
	l.boot = bootN(9)
	begin(t, l, 5)
	networks, since, all = l.BlocksSince(since)
	if all {
		t.Error("after a reboot: all")
	}
	checkWatched(t, "after a reboot", networks, 4, 5)

	for range 5 {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		l, _ = mustOpen(t, path, MinClients)
		begin(t, l, 6)
		networks, now, all := l.BlocksSince(since)
		if networks != nil || now == since || !all {
			t.Errorf("in a new one: %v, %v; want all", networks, all)
		}
		since = now
	}
}

// While another process holds the lock for too long nothing is announced, and nothing is lost.
// Learning that there is nothing new needs no lock.
func TestNewsWithoutTheLock(t *testing.T) {
	l := newLedger(t, MinClients)
	path := ledgerPath(t, l)
	begin(t, l, 1)
	_, since, _ := l.BlocksSince(0)
	c := start(t, "stop", "work", path)
	c.untilStopped(t)
	if networks, now, all := l.BlocksSince(since); networks != nil || now != since || all {
		t.Errorf("nothing has begun: %v, %d, %v", networks, now, all)
	}
	if l.stall != (stall{}) {
		t.Error("to learn that nothing has begun it has tried to get the lock")
	}
	checkWaits(t, "learning that there may be something", Patience, promised, func() error {
		if networks, now, all := l.BlocksSince(since - 1); networks != nil || now != since-1 ||
			all {
			t.Errorf("without the lock: %v, %d, %v", networks, now, all)
		}
		return nil
	}, nil)
	if l.stall == (stall{}) {
		t.Error("it has not tried to get the lock")
	}
	if err := c.kill(); err == nil {
		t.Fatal("the child ended by itself")
	}
	networks, now, all := l.BlocksSince(since - 1)
	if now != since || all {
		t.Errorf("with the lock: %d, %v; want %d", now, all, since)
	}
	checkWatched(t, "with the lock", networks, 1)
}

// A block that is undone, because its process was killed, is never announced, however closely a
// process watches.
func TestNewsUndone(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	_, since, _ := l.BlocksSince(0)
	var midst []byte
	must(t, l, func(tx *Tx) {
		tx.Block(networkN(1), time.Hour, "test", Penalty{})
		if other.ring.last.Load() == since {
			t.Error("nothing to be seen in the midst of it")
		}
		midst = slices.Clone(l.mem[:bitmapAt])
	})
	copy(l.mem, midst) // as a kill there leaves it, all but the record
	if networks, now, all := other.BlocksSince(since); networks != nil || now != since || all {
		t.Errorf("undone: %v, %d, %v", networks, now, all)
	}
	begin(t, l, 2)
	networks, _, all := other.BlocksSince(since)
	if all {
		t.Error("all")
	}
	checkWatched(t, "the one in its place", networks, 2)
}

// Whatever is in the ring, BlocksSince returns valid networks. Zeros are none (::/0 would name
// every client): they are what is read behind the end of a file that has become shorter.
func TestHonestRing(t *testing.T) {
	l := newLedger(t, MinClients)
	begin(t, l, 1)
	_, now, _ := l.BlocksSince(0)
	for bits := range 256 {
		for _, addr := range []netip.Addr{netip.MustParseAddr("192.0.2.255"),
			netip.MustParseAddr("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")} {
			l.ring.networks[now%ringSize] = ringMember{addr: addr.As16(), bits: uint8(bits)}
			networks, _, all := l.BlocksSince(now - 1)
			if all != (bits == 0 || bits > 128) || !all &&
				(len(networks) != 1 || !networks[0].IsValid() ||
					networks[0] != networks[0].Masked()) {
				t.Errorf("%v and %d bits: %v, %v", addr, bits, networks, all)
			}
		}
	}
}

// A ledger that loses its file announces nothing more, and Replaced says so.
func TestLostToWatchers(t *testing.T) {
	for _, length := range []int64{0, 1, undoAt, page, 2 * page, ringAt} {
		l := newLedger(t, MinClients)
		_, since, _ := l.BlocksSince(0)
		begin(t, l, 1)
		if err := os.Truncate(ledgerPath(t, l), length); err != nil {
			t.Fatal(err)
		}
		networks, now, all := l.BlocksSince(since)
		if length <= 2*page && (networks != nil || now != since || all) {
			t.Errorf("cut off at %d: %v, %d, %v", length, networks, now, all)
		}
		if length <= 2*page && !l.Replaced() {
			t.Errorf("cut off at %d it is of use yet", length)
		}
		shut(l)
	}
	l := newLedger(t, MinClients)
	_, since, _ := l.BlocksSince(0)
	if err := os.Truncate(ledgerPath(t, l), 0); err != nil {
		t.Fatal(err)
	}
	if networks, now, all := l.BlocksSince(since); networks != nil || now != since || all ||
		!l.Replaced() {
		t.Errorf("looked at without the lock: %v, %d, %v", networks, now, all)
	}
	if err := l.Do(Now(), func(*Tx) {}); !errors.Is(err, ErrLost) {
		t.Errorf("work on it: %v", err)
	}
	shut(l)
	if networks, now, all := l.BlocksSince(since); networks != nil || now != since || all {
		t.Errorf("closed: %v, %d, %v", networks, now, all)
	}
}
