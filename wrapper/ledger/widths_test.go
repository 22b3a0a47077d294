package ledger

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// Whatever the configuration says meanwhile, a session leaves the networks that count it. With more
// widths at once than there is room for, it is not counted by the last of them.
func TestExactWideCountsOfManyWidths(t *testing.T) {
	l, rnd := newLedger(t, MinClients), rand.New(rand.NewPCG(1, 2))
	type one struct {
		s    Session
		bits [MaxWide]int
		host netip.Addr
	}
	var all []one
	arrival := func(host netip.Addr, bits [MaxWide]int) Arrival {
		a := limited(host, 1000, 0)
		for n := range bits {
			a.WideLimits[n].Network, _ = host.Prefix(bits[n])
		}
		return a
	}
	for round := range 600 {
		must(t, l, func(tx *Tx) {
			if len(all) > 0 && (rnd.IntN(2) == 0 || round > 500) {
				n := rnd.IntN(len(all))
				tx.Leave(all[n].s)
				all[n] = all[len(all)-1]
				all = all[:len(all)-1]
			} else {
				narrow := 20 + rnd.IntN(2)*4
				bits := [MaxWide]int{narrow, narrow - 4 - rnd.IntN(2)*4}
				host := netip.AddrFrom4([4]byte{10, 1, byte(rnd.IntN(4)), byte(rnd.IntN(99))})
				s, _ := tx.Enter(arrival(host, bits), Self())
				if rnd.IntN(2) == 0 {
					tx.Serve(s)
				}
				all = append(all, one{s, bits, host})
			}
			if err := audit(tx.l); err != nil {
				t.Fatal(err)
			}
			bits := [MaxWide]int{24, 16}
			host := netip.AddrFrom4([4]byte{10, 1, 1, 200})
			var want [MaxWide]WideCount
			for n := range bits {
				in, _ := host.Prefix(bits[n])
				for _, o := range all {
					if (o.bits[0] == bits[n] || o.bits[1] == bits[n]) && in.Contains(o.host) {
						want[n].Conns++
					}
				}
			}
			if got := tx.Look(arrival(host, bits)).WideCounts; got != want {
				t.Fatalf("round %d: %+v; want %+v", round, got, want)
			}
		})
	}
	now := Now()
	mustAt(t, l, now, func(tx *Tx) {
		for n := range 2 * maxWidths {
			s, _ := tx.Enter(arrival(hostN(n), [MaxWide]int{31 - n, 8}), Self())
			all = append(all, one{s: s})
			tx.checkpoint()
		}
		if err := audit(tx.l); err != nil {
			t.Fatal(err)
		}
		for _, o := range all {
			tx.Leave(o.s)
			tx.checkpoint()
		}
		if err := audit(tx.l); err != nil {
			t.Fatal(err)
		}
	})
	mustAt(t, l, now.After(time.Second), func(tx *Tx) {
		for n := range maxWidths { // those of before are not in use any more
			a := arrival(hostN(n), [MaxWide]int{30 - n, 7})
			tx.Enter(a, Self())
			tx.checkpoint()
			if got := tx.Look(a).WideCounts[0].Conns; n < maxWidths-1 && got != 1 {
				t.Errorf("/%d: %d", 30-n, got)
			}
		}
	})
}

// A client that no width is left for is counted as trouble. The search for one in vain is made once
// in a second: until the next, a width that has become free is not found.
func TestBoundedSearchForWidths(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	arrival := func(bits int) Arrival {
		a := limited(hostN(bits), 9, 0)
		a.WideLimits[0].Network, _ = hostN(bits).Prefix(bits)
		a.WideLimits[1] = WideLimits{}
		return a
	}
	enter := func(at Moment, bits int, counted int32, trouble uint64) (s Session) {
		t.Helper()
		mustAt(t, l, at, func(tx *Tx) {
			a := arrival(bits)
			s, _ = tx.Enter(a, Self())
			a.wantsCounts(t, tx, fmt.Sprint("/", bits), WideCount{Conns: counted}, WideCount{})
			if n := tx.Totals().Troubles[WideUncounted]; n != trouble {
				t.Errorf("/%d: %d were counted as trouble; want %d", bits, n, trouble)
			}
		})
		return s
	}
	var all []Session
	for n := range maxWidths {
		all = append(all, enter(now, 30-n, 1, 0))
	}
	enter(now, 20, 0, 1)
	mustAt(t, l, now, func(tx *Tx) { tx.Leave(all[0]) })
	enter(now, 19, 0, 2)
	enter(now.After(time.Second), 18, 1, 2)
	enter(now.After(time.Second), 17, 0, 3)
}
