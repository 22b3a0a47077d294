package ledger

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// begin begins a block on each of these hosts, each work of its own.
func begin(t testing.TB, l *Ledger, hosts ...int) {
	t.Helper()
	for _, n := range hosts {
		must(t, l, func(tx *Tx) { tx.Block(networkN(n), time.Hour, "test", Penalty{}) })
	}
}

// numbers are from, from+1 and so on, n of them.
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
		t.Errorf("%s: blocks have begun on %d networks, %v; want %d, %v", what, len(networks), networks, len(want), want)
	}
}

// Whatever begins a block is told, once, in its order, to each who watches; and what begins none is
// not.
func TestBegun(t *testing.T) {
	l := newLedger(t, MinClients)
	begin(t, l, 99)
	networks, since, all := l.Begun(0)
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
		if networks, now, all := l.Begun(since); networks != nil || now != since || all {
			t.Errorf("nothing has begun: %v, %d, %v; the last was %d", networks, now, all, since)
		}
	}
	must(t, l, func(tx *Tx) {
		tx.Strike(networkN(1), "test", 1, threeStrikes) // one too many
		tx.Block(wide, time.Hour, "admin", Penalty{})
		tx.Block(networkN(1), 0, "guard", threeStrikes) // anew
	})
	for _, l := range []*Ledger{other, l} {
		networks, now, all := l.Begun(since)
		if want := []netip.Prefix{networkN(1), wide, networkN(1)}; !slices.Equal(networks, want) || all || now == since {
			t.Errorf("%v have begun, %v; want %v", networks, all, want)
		}
		if networks, again, all := l.Begun(now); networks != nil || again != now || all {
			t.Errorf("asked again: %v, %d, %v", networks, again, all)
		}
	}
}

// As many as the ring holds are told, one more is too many to name; from then on it goes on as
// ever.
func TestBegunMoreThanTheRing(t *testing.T) {
	l := newLedger(t, MinClients)
	_, since, _ := l.Begun(0)
	for _, n := range []int{1, ringSize - 1, ringSize} {
		begin(t, l, numbers(0, n)...)
		networks, now, all := l.Begun(since)
		if all {
			t.Errorf("%d are too many", n)
		}
		checkWatched(t, fmt.Sprint(n), networks, numbers(0, n)...)
		since = now
	}
	for _, n := range []int{ringSize + 1, 3*ringSize + 7} {
		begin(t, l, numbers(0, n)...)
		networks, now, all := l.Begun(since)
		if networks != nil || !all {
			t.Errorf("%d have begun: %d of them, %v; want all and no names", n, len(networks), all)
		}
		since = now
		begin(t, l, 7)
		networks, since, all = l.Begun(since)
		if all {
			t.Error("one is too many")
		}
		checkWatched(t, "after too many", networks, 7)
	}
}

// A number of another ledger is known for that; one taken over from a ledger of another size goes
// on, and so it does through a reboot.
func TestBegunInAnotherLedger(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	l, _ := mustOpen(t, path, MinClients)
	_, since, _ := l.Begun(0)
	begin(t, l, 1, 2)
	l, _ = mustOpen(t, path, 4*MinClients)
	begin(t, l, 3)
	networks, since, all := l.Begun(since)
	if all {
		t.Error("in one of another size: all")
	}
	checkWatched(t, "in one of another size", networks, 1, 2, 3)

	begin(t, l, 4)
	l.boot = bootN(9)
	begin(t, l, 5)
	networks, since, all = l.Begun(since)
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
		networks, now, all := l.Begun(since)
		if networks != nil || now == since || !all {
			t.Errorf("in a new one: %v, %v; want all", networks, all)
		}
		since = now
	}
}

// beginRole begins blocks on so many hosts from FIRST on, and then on one more, which it is killed
// before it has done: PATH, FIRST, NUMBER.
func beginRole(args []string) error {
	l, _, err := Open(args[0], 4*MinClients, ThisBoot())
	if err != nil {
		return err
	}
	first, _ := strconv.Atoi(args[1])
	n, _ := strconv.Atoi(args[2])
	work := func(n int, kill bool) error {
		return untilFree(func() error {
			return l.Do(Now(), func(t *Tx) {
				t.Block(networkN(n), time.Hour, "test", Penalty{})
				if kill {
					raise(unix.SIGKILL)
				}
			})
		})
	}
	for i := range n {
		if err := work(first+i, false); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return work(first+n, true)
}

// A watcher notes all that is told from a number on.
type watcher struct {
	l        *Ledger
	since    uint64
	networks []netip.Prefix
	seen     atomic.Uint64 // the number of the last
}

// watch looks again and again until it has been told to end, and then once more.
func (w *watcher) watch(t *testing.T, end *atomic.Bool) {
	for last := false; !last; time.Sleep(50 * time.Microsecond) {
		last = end.Load()
		some, now, all := w.l.Begun(w.since)
		if all || uint64(len(some)) != now-w.since {
			t.Errorf("%d networks of %d, %v", len(some), now-w.since, all)
		}
		w.networks, w.since = append(w.networks, some...), now
		w.seen.Store(now)
	}
}

// Many begin blocks at once and are killed with one half begun, again and again; those who watch
// learn of each that has begun exactly once, of none that has not, and each writer's in their
// order.
func TestBegunByMany(t *testing.T) {
	const writers, rounds, each = 4, 20, ringSize / 4
	l := newLedger(t, 4*MinClients)
	path, program := ledgerPath(t, l), plainProgram(t)
	_, first, _ := l.Begun(0)
	var watchers []*watcher
	var watching sync.WaitGroup
	var end atomic.Bool
	for range 3 {
		l, _ := mustOpen(t, path, 4*MinClients)
		w := &watcher{l: l, since: first}
		watchers = append(watchers, w)
		watching.Go(func() { w.watch(t, &end) })
	}
	for round := range rounds {
		var all []*child
		for w := range writers {
			all = append(all, startAs(t, program, nil, nil, "begin", path, fmt.Sprint(w<<16|round<<8), fmt.Sprint(each)))
		}
		for _, c := range all {
			if err := c.end(); err == nil || err.Error() != "signal: killed" {
				t.Fatalf("the child was to kill itself: %v", err)
			}
		}
		last := first + uint64(writers*each*(round+1))
		lab.Eventually(t, "all have been told of a round", func() bool {
			return !slices.ContainsFunc(watchers, func(w *watcher) bool { return w.seen.Load() != last })
		})
	}
	end.Store(true)
	watching.Wait()
	for _, w := range watchers {
		checkOrder(t, w.networks, writers, rounds, each)
	}
	mustAudit(t, l)
}

// checkOrder holds what was told against what every writer did.
func checkOrder(t *testing.T, networks []netip.Prefix, writers, rounds, each int) {
	t.Helper()
	of := make([][]netip.Prefix, writers)
	for _, n := range networks {
		w := n.Addr().As4()[1]
		of[w] = append(of[w], n)
	}
	for w, got := range of {
		var want []int
		for round := range rounds {
			want = append(want, numbers(w<<16|round<<8, each)...)
		}
		checkWatched(t, fmt.Sprintf("of writer %d", w), got, want...)
	}
}

// While another has the lock for too long nothing is told, and nothing is lost; to learn that there
// is nothing new nobody needs the lock.
func TestBegunWithoutTheLock(t *testing.T) {
	l := newLedger(t, MinClients)
	path := ledgerPath(t, l)
	begin(t, l, 1)
	_, since, _ := l.Begun(0)
	c := start(t, "stop", "work", path)
	c.untilStopped(t)
	if networks, now, all := l.Begun(since); networks != nil || now != since || all {
		t.Errorf("nothing has begun: %v, %d, %v", networks, now, all)
	}
	if l.still != (standstill{}) {
		t.Error("to learn that nothing has begun it has tried to get the lock")
	}
	checkWaits(t, "learning that there may be something", Patience, promised, func() error {
		if networks, now, all := l.Begun(since - 1); networks != nil || now != since-1 || all {
			t.Errorf("without the lock: %v, %d, %v", networks, now, all)
		}
		return nil
	}, nil)
	if l.still == (standstill{}) {
		t.Error("it has not tried to get the lock")
	}
	if err := c.kill(); err == nil {
		t.Fatal("the child ended by itself")
	}
	networks, now, all := l.Begun(since - 1)
	if now != since || all {
		t.Errorf("with the lock: %d, %v; want %d", now, all, since)
	}
	checkWatched(t, "with the lock", networks, 1)
}

// What begins and is undone, because its process was killed, is never told, however close somebody
// looks.
func TestBegunAndUndone(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	_, since, _ := l.Begun(0)
	var midst []byte
	must(t, l, func(tx *Tx) {
		tx.Block(networkN(1), time.Hour, "test", Penalty{})
		if other.ring.begun.Load() == since {
			t.Error("nothing to be seen in the midst of it")
		}
		midst = slices.Clone(l.mem[:bitmapAt])
	})
	copy(l.mem, midst) // as a kill there leaves it, all but the record
	if networks, now, all := other.Begun(since); networks != nil || now != since || all {
		t.Errorf("undone: %v, %d, %v", networks, now, all)
	}
	begin(t, l, 2)
	networks, _, all := other.Begun(since)
	if all {
		t.Error("all")
	}
	checkWatched(t, "the one in its place", networks, 2)
}

// Whatever stands in the ring, what is told are networks.
func TestHonestRing(t *testing.T) {
	l := newLedger(t, MinClients)
	begin(t, l, 1)
	_, now, _ := l.Begun(0)
	for bits := range 256 {
		for _, addr := range []netip.Addr{netip.MustParseAddr("192.0.2.255"), netip.MustParseAddr("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")} {
			l.ring.networks[now%ringSize] = ringMember{addr: addr.As16(), bits: uint8(bits)}
			networks, _, all := l.Begun(now - 1)
			if all != (bits > 128) || !all && (len(networks) != 1 || !networks[0].IsValid() || networks[0] != networks[0].Masked()) {
				t.Errorf("%v and %d bits: %v, %v", addr, bits, networks, all)
			}
		}
	}
}

// A ledger that loses its file tells nothing more, and says so.
func TestLostToWhoWatches(t *testing.T) {
	for _, length := range []int64{0, 1, ringAt, page, undoAt + page} {
		l := newLedger(t, MinClients)
		_, since, _ := l.Begun(0)
		begin(t, l, 1)
		if err := os.Truncate(ledgerPath(t, l), length); err != nil {
			t.Fatal(err)
		}
		networks, now, all := l.Begun(since)
		if length < undoAt+page && (networks != nil || now != since || all) {
			t.Errorf("cut off at %d: %v, %d, %v", length, networks, now, all)
		}
		if length < undoAt+page && !l.Replaced() {
			t.Errorf("cut off at %d it is of use yet", length)
		}
		shut(l)
	}
	l := newLedger(t, MinClients)
	_, since, _ := l.Begun(0)
	if err := os.Truncate(ledgerPath(t, l), 0); err != nil {
		t.Fatal(err)
	}
	if networks, now, all := l.Begun(since); networks != nil || now != since || all || !l.Replaced() {
		t.Errorf("looked at without the lock: %v, %d, %v", networks, now, all)
	}
	if err := l.Do(Now(), func(*Tx) {}); !errors.Is(err, ErrLost) {
		t.Errorf("work on it: %v", err)
	}
	shut(l)
	if networks, now, all := l.Begun(since); networks != nil || now != since || all {
		t.Errorf("closed: %v, %d, %v", networks, now, all)
	}
}
