package ledger

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// beginRole blocks that number of hosts from FIRST on, and then one more, and is killed during the
// last: PATH, FIRST, NUMBER.
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

// A watcher notes all blocks that are announced from a number on.
type watcher struct {
	l        *Ledger
	since    uint64
	networks []netip.Prefix
	seen     atomic.Uint64 // the number of the last
}

// watch looks again and again until end is set, and then once more.
func (w *watcher) watch(t *testing.T, end *atomic.Bool) {
	for last := false; !last; time.Sleep(50 * time.Microsecond) {
		last = end.Load()
		some, now, all := w.l.BlocksSince(w.since)
		if all || uint64(len(some)) != now-w.since {
			t.Errorf("%d networks of %d, %v", len(some), now-w.since, all)
		}
		w.networks, w.since = append(w.networks, some...), now
		w.seen.Store(now)
	}
}

// Many processes begin blocks at once and are killed during one, again and again. Watchers learn of
// each block that has begun exactly once, of none that has not, and of each writer's in order.
func TestNewsByMany(t *testing.T) {
	const writers, rounds, each = 4, 20, ringSize / 4
	l := newLedger(t, 4*MinClients)
	path, program := ledgerPath(t, l), plainProgram(t)
	_, first, _ := l.BlocksSince(0)
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
			all = append(all, startAs(t, program, nil, nil, "begin", path,
				fmt.Sprint(w<<16|round<<8), fmt.Sprint(each)))
		}
		for _, c := range all {
			if err := c.end(); err == nil || err.Error() != "signal: killed" {
				t.Fatalf("the child was to kill itself: %v", err)
			}
		}
		last := first + uint64(writers*each*(round+1))
		lab.Eventually(t, "all have been told of a round", func() bool {
			return !slices.ContainsFunc(watchers,
				func(w *watcher) bool { return w.seen.Load() != last })
		})
	}
	end.Store(true)
	watching.Wait()
	for _, w := range watchers {
		checkOrder(t, w.networks, writers, rounds, each)
	}
	mustAudit(t, l)
}

// checkOrder compares what was announced with what every writer did.
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
