package ledger

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// A group is some of a site's networks, and how many of them must still be what they were.
type group struct {
	name       string
	first, end int
	holds      func(Standing) bool
}

// The honest networks of a site, and those that it has blocked.
var (
	regulars = group{"clients known for hours", 0, 1000, func(s Standing) bool { return s.Known }}
	once     = group{"clients known for once", 1000, 1200, func(s Standing) bool { return s.Known }}
	handmade = group{"blocks by hand", 1200, 1300, func(s Standing) bool { return s.Blocked }}
	struckN  = group{"blocks by strikes", 1300, 1400, func(s Standing) bool { return s.Blocked }}
)

func honest(n int) netip.Prefix { return scattered(n, true) }

// do does the same with each of the group's networks.
func (g group) do(t testing.TB, l *Ledger, now Moment, do func(*Tx, netip.Prefix)) {
	t.Helper()
	if err := each(l, now, g.first, g.end, honest, do); err != nil {
		t.Fatal(err)
	}
}

// site is a ledger after a day of work.
func site(t testing.TB, clients int) (*Ledger, Moment) {
	t.Helper()
	l, now := newLedger(t, clients), Now()
	for _, hours := range []time.Duration{0, 4, 8, 12, 16, 20} {
		regulars.do(t, l, now.After(hours*time.Hour), visit)
	}
	now = now.After(23 * time.Hour)
	once.do(t, l, now, visit)
	handmade.do(t, l, now, func(tx *Tx, n netip.Prefix) {
		tx.BlockByHand(n, 48*time.Hour, "admin",
			threeStrikes)
	})
	struckN.do(t, l, now.After(30*time.Minute), func(tx *Tx, n netip.Prefix) { struck(tx, n, 3) })
	return l, now.After(31 * time.Minute)
}

// stands is how a network stands.
func (t *Tx) stands(network netip.Prefix) Standing {
	return t.Look(Arrival{Client: netip.AddrPortFrom(network.Addr(), 25), Network: network})
}

// stays fails the test unless all of the group are what they were.
func (g group) stays(t *testing.T, l *Ledger, now Moment, when string) {
	t.Helper()
	left := 0
	mustAt(t, l, now, func(tx *Tx) {
		for n := g.first; n < g.end; n++ {
			if g.holds(tx.stands(honest(n))) {
				left++
			}
		}
	})
	if all := g.end - g.first; left != all {
		t.Errorf("%s: of %d %s %d are left", when, all, g.name, left)
	}
}

// An attack from adjacent networks costs no other network its record. One from all over the world
// costs none that is more important than the attacker's.
func TestBoundedFlood(t *testing.T) {
	for _, origin := range []string{"one 48", "one 32", "everywhere"} {
		for attack := range attacks {
			t.Run(origin+"/"+attack, func(t *testing.T) {
				ends := []int{10_000, 100_000}
				if attack == "waiting" && !testing.Short() {
					ends = append(ends, 1_000_000)
				}
				stay := []group{regulars, handmade, once, struckN}
				if origin == "everywhere" {
					stay = stay[:2]
				}
				l, now := site(t, 65536)
				first := 0
				for _, end := range ends {
					now = flood(t, l, now, origin, attack, first, end)
					for _, g := range stay {
						g.stays(t, l, now, fmt.Sprint("after ", end))
					}
					first = end
				}
				mustAudit(t, l)
			})
		}
	}
}

// An attacker that comes back for hours is trusted, too. It still replaces its own records, and
// none of networks that have come in more hours.
func TestBoundedFloodOfHours(t *testing.T) {
	l, now := site(t, 16384)
	for range 5 {
		flood(t, l, now, "one 48", "waiting", 0, 16384)
		now = now.After(time.Hour)
	}
	regulars.stays(t, l, now, "after five hours")
	once.stays(t, l, now, "after five hours")
	handmade.stays(t, l, now, "after five hours")
	now = flood(t, l, now, "everywhere", "waiting", 0, 16384)
	regulars.stays(t, l, now, "when others want the places")
	if share := shareOf(l, netip.MustParsePrefix("2001:db8::/48")); share > 0.26 {
		t.Errorf("it holds %.0f %% of the records, of which others want some", 100*share)
	}
	mustAudit(t, l)
}

// shareOf is the share of the records that belong to networks within a wide one.
func shareOf(l *Ledger, wide netip.Prefix) float64 {
	n := 0
	for i := range l.records() {
		if c := l.record(i); c.inUse() && wide.Contains(key{c.addr, c.bits}.network().Addr()) {
			n++
		}
	}
	return float64(n) / float64(l.records())
}

// In a ledger full of honest clients from all over the world an attacker gets no more than its
// share: at first, when no other client comes, and when others do. The numbers are in
// docs/ATTACKS.md.
func TestBoundedShare(t *testing.T) {
	const clients = 4096
	for _, tt := range []struct {
		origin, wide  string
		alone, beside float64 // of the records
	}{
		{"one 48", "2001:db8::/48", 0.12, 0.06},
		{"one 16", "198.18.0.0/16", 0.12, 0.06},
		{"one 32", "2001:db8::/32", 0.21, 0.13},
		{"one 29", "2001:db8::/29", 0.37, 0.26},
	} {
		for attack := range attacks {
			l, now := newLedger(t, clients), Now()
			newcomers := func(first, end int) float64 {
				if err := each(l, now, first*clients, end*clients, honest, visit); err != nil {
					t.Fatal(err)
				}
				return shareOf(l, netip.MustParsePrefix(tt.wide))
			}
			newcomers(0, 3)
			now = flood(t, l, now.After(time.Hour), tt.origin, attack, 0, 50_000)
			alone, beside := newcomers(3, 3), newcomers(3, 6)
			t.Logf("%s by %s: %.1f %% of the records, %.1f %% when others come", tt.origin, attack,
				100*alone, 100*beside)
			if alone < 0.03 || alone > tt.alone || beside > tt.beside {
				t.Errorf("%s by %s: %.1f %% of the records, %.1f %% when others come; want "+
					"%.0f, %.0f at most",
					tt.origin, attack, 100*alone, 100*beside, 100*tt.alone, 100*tt.beside)
			}
			mustAudit(t, l)
		}
	}
}

// Honest neighbours of an attacker, in a network that is crowded because of it, stay if they are
// more important.
func TestBoundedNeighbours(t *testing.T) {
	const neighbours = 50
	for attack := range attacks {
		l, now := site(t, 8192)
		neighbour := func(n int) netip.Prefix { return crowdedV4(n*500, true) }
		for range 4 {
			if err := each(l, now, 0, neighbours, neighbour, visit); err != nil {
				t.Fatal(err)
			}
			now = now.After(time.Hour)
		}
		now = flood(t, l, now, "one 16", attack, 0, 32768)
		mustAt(t, l, now, func(tx *Tx) {
			for n := range neighbours {
				if !tx.stands(neighbour(n)).Known {
					t.Errorf("after %s %v is not known any more", attack, neighbour(n))
				}
			}
		})
		regulars.stays(t, l, now, "beside a crowd, after "+attack)
	}
}

// A provider with many adjacent servers, all of which come back, loses none to a flood of new
// clients.
func TestBoundedProvider(t *testing.T) {
	const servers = 125 // a thirtieth of the records
	for _, server := range []func(n int) netip.Prefix{
		func(n int) netip.Prefix { return crowdedV4(n, true) },
		func(n int) netip.Prefix { return slash64(documentation | uint64(n)) },
		func(n int) netip.Prefix { return slash64(documentation | uint64(n)<<16) },
	} {
		l, now := newLedger(t, 4096), Now()
		for range 4 {
			if err := each(l, now, 0, servers, server, visit); err != nil {
				t.Fatal(err)
			}
			now = now.After(time.Hour)
		}
		now = flood(t, l, now, "everywhere", "waiting", 0, 50_000)
		mustAt(t, l, now, func(tx *Tx) {
			for n := range servers {
				if !tx.stands(server(n)).Known {
					t.Errorf("%v is not known any more", server(n))
				}
			}
		})
	}
}

// Networks form a crowd with their neighbours only.
func TestBoundedLevels(t *testing.T) {
	const apart = len(levels)
	for _, tt := range []struct {
		a, b   string
		narrow int // the narrowest level with both in one network
	}{
		{"2001:db8:1:1::/64", "2001:db8:1:ffff::/64", 0},
		{"2001:db8:1:1::/64", "2001:db8:2:1::/64", 1},
		{"2001:db8::/64", "2001:db9::/64", 2},
		{"2001:db0::/64", "2001:dbf::/64", 2},
		{"2001:db8::/64", "2001:dc0::/64", apart},
		{"192.0.2.1/32", "192.0.255.0/24", 0},
		{"192.0.2.1/32", "192.1.2.1/32", apart},
		{"64:ff9b::192.0.2.1/128", "64:ff9b::192.0.3.1/128", 0},
		{"64:ff9b::192.0.2.1/128", "64:ff9b::192.1.2.1/128", apart},
		{"64:ff9b::192.0.2.1/128", "64:ff9b:0:0:1::/80", apart},
		{"0.0.0.0/32", "::/64", apart},
	} {
		a, b := keyOf(netip.MustParsePrefix(tt.a)), keyOf(netip.MustParsePrefix(tt.b))
		for n, level := range levels {
			if holds, want := level.same(wide(&a.addr), wide(&b.addr)),
				n >= tt.narrow; holds != want {
				t.Errorf("%s and %s are together at level %d: %v", tt.a, tt.b, n, holds)
			}
		}
	}
}
