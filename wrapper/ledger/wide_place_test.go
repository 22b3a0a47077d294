package ledger

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A count of a wider network replaces clients that have waited once, and none that are more
// important. Then it stays. If there is no record for it the network is not counted.
func TestBoundedWiderCount(t *testing.T) {
	const places = 2 * ways
	for _, tt := range []struct {
		name string
		do   func(*Tx, Arrival)
		goes bool
	}{
		{"strikes", func(tx *Tx, a Arrival) { tx.Strike(a.Network, "early", 1, threeStrikes) },
			true},
		{"known for once", func(tx *Tx, a Arrival) { tx.Remember(a.Network, time.Hour) }, true},
		{"known for hours", func(tx *Tx, a Arrival) {
			tx.Remember(a.Network, time.Hour)
			tx.Delivered(a.Network)
		}, false},
		{"blocks", func(tx *Tx, a Arrival) { tx.Block(a.Network, time.Hour, "x", Penalty{}) },
			false},
		{"blocks by hand", func(tx *Tx, a Arrival) {
			tx.BlockByHand(a.Network, time.Hour, "x", Penalty{})
		}, false},
		{"sessions", func(tx *Tx, a Arrival) { tx.Enter(a, Self()) }, false},
	} {
		l := newLedger(t, MinClients)
		a, hosts := beside(t, l, places)
		must(t, l, func(tx *Tx) {
			for _, host := range hosts {
				tt.do(tx, from(host))
				tx.checkpoint()
			}
			s, _ := tx.Enter(a, Self())
			want, lost := Wide{}, uint64(0)
			if tt.goes {
				want.Conns, lost = 1, 1
			}
			e := tx.state().evicted
			if got := e[EvictedHistory] + e[EvictedKnown] + e[EvictedBlock]; got != lost {
				t.Errorf("beside %s: %d records counted as replaced; want %d", tt.name, got, lost)
			}
			a.wants(t, tx, "beside "+tt.name, want)
			tx.checkpoint()
			for _, host := range hosts {
				tx.BlockByHand(from(host).Network, time.Hour, "test", Penalty{})
				tx.checkpoint()
			}
			a.wants(t, tx, "beside blocks of all", want)
			tx.Leave(s)
			a.wants(t, tx, "at the end", Wide{})
		})
	}
}

// beside is an arrival, and n hosts whose records can only be where the count of its wider network
// can.
func beside(t testing.TB, l *Ledger, n int) (Arrival, []netip.Addr) {
	t.Helper()
	hosts := meeting(t, l, n)
	at := l.buckets(keyOf(from(hosts[0]).Network))
	for i := range 1 << 24 {
		a := within(fmt.Sprintf("2001:%x:%x::/48", i>>16, i&0xffff), 1)
		switch l.buckets(wideKey(a.Client.Addr().As16())) {
		case at, [2]int{at[1], at[0]}:
			return a, hosts
		}
	}
	t.Fatal("no such network")
	return Arrival{}, nil
}

// wideRole is one of many processes that arrive at once, each in a network of its own, are served
// if the wider network has less than its share, and stay: LEDGER, GATE, NUMBER.
func wideRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	gate, err := unix.Open(args[1], unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	var n int
	if _, err := fmt.Sscan(args[2], &n); err != nil {
		return err
	}
	self, said := Self(), "no"
	fmt.Println("ready")
	if err := unix.Flock(gate, unix.LOCK_SH); err != nil {
		return err
	}
	err = untilFree(func() error {
		return l.Do(Now(), func(t *Tx) {
			a := within(wideA, n)
			a.Limits = Limits{Serving: 1000, Waiting: 1000, Scarce: 1}
			if t.Look(a).Wide.Served < wideShare {
				s, _ := t.Enter(a, self)
				t.Serve(s)
				said = "yes"
			}
		})
	})
	fmt.Println(said)
	waitForLine()
	return err
}

const wideShare = 10

// Of two hundred networks in a wider one that come at once as many are served as its share allows,
// and when they have gone as many again.
func TestExactWiderShare(t *testing.T) {
	program := plainProgram(t)
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) { // places are scarce
		for n := range wideShare {
			s, _ := tx.Enter(from(hostN(n)), Self())
			tx.Serve(s)
			tx.checkpoint()
		}
	})
	for range 2 {
		said := crowdOf(t, program, ledgerPath(t, l), 200, "wide")
		if said["yes"] != wideShare {
			t.Errorf("%v; want %d that are served", said, wideShare)
		}
	}
	mustAudit(t, l)
}

// The count of a network with limits replaces blocks as well: else these limits would not hold.
func TestBoundedWideLimitsReplaceBlocks(t *testing.T) {
	l := newLedger(t, MinClients)
	a, hosts := beside(t, l, 2*ways)
	network := wideKey(a.Client.Addr().As16()).network()
	a.Wide, a.WideLimits = false, &[MaxWide]WideLimits{{Network: network, Conns: 9}}
	must(t, l, func(tx *Tx) {
		for _, host := range hosts {
			tx.Block(from(host).Network, time.Hour, "test", Penalty{})
			tx.checkpoint()
		}
		tx.Enter(a, Self())
		a.wantsCounts(t, tx, "beside blocks", WideCount{Conns: 1}, WideCount{})
	})
}
