package ledger

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// A count of a wide network replaces clients that have waited once, and none that are more
// important. Then it stays. If there is no record for it the network is not counted.
func TestBoundedWideCount(t *testing.T) {
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

// beside is an arrival, and n hosts whose records can only be where the count of its wide network
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

// The count of a network with limits replaces blocks as well, else these limits would not hold, but
// no trusted client, else a botnet in many wide networks would have these forgotten.
func TestBoundedWideLimits(t *testing.T) {
	for want, do := range map[int32]func(*Tx, netip.Prefix){
		1: func(tx *Tx, n netip.Prefix) { tx.Block(n, time.Hour, "test", Penalty{}) },
		0: func(tx *Tx, n netip.Prefix) {
			tx.Remember(n, time.Hour)
			tx.Delivered(n)
		},
	} {
		l := newLedger(t, MinClients)
		a, hosts := beside(t, l, 2*ways)
		network := wideKey(a.Client.Addr().As16()).network()
		a.Wide, a.WideLimits = false, &[MaxWide]WideLimits{{Network: network, Conns: 9}}
		must(t, l, func(tx *Tx) {
			for _, host := range hosts {
				do(tx, from(host).Network)
				tx.checkpoint()
			}
			tx.Enter(a, Self())
			a.wantsCounts(t, tx, "beside others", WideCount{Conns: want}, WideCount{})
		})
	}
}

// Where its record would replace a live session it is not counted, which is counted as trouble.
func TestCountsWideUncounted(t *testing.T) {
	l := newLedger(t, MinClients)
	a, hosts := beside(t, l, 2*ways)
	network := wideKey(a.Client.Addr().As16()).network()
	for n, limits := range []WideLimits{
		{Network: network, Conns: 9}, {Network: network, Rate: 9, Per: time.Hour},
	} {
		a.Wide, a.WideLimits = false, &[MaxWide]WideLimits{limits}
		must(t, l, func(tx *Tx) {
			for _, host := range hosts {
				tx.Enter(from(host), Self())
				tx.checkpoint()
			}
			tx.Enter(a, Self())
			a.wantsCounts(t, tx, "beside sessions", WideCount{}, WideCount{})
			if got := tx.Totals().Troubles[WideUncounted]; got != uint64(n+1) {
				t.Errorf("%+v: %d were counted; want %d", limits, got, n+1)
			}
		})
	}
}
