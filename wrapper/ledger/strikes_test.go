package ledger

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// An offence counts as many strikes as its weight, and a block begins as soon as there are too
// many.
func TestStrikeWeights(t *testing.T) {
	p := Penalty{Strikes: 5, Within: time.Hour, For: time.Hour, Max: time.Hour}
	for _, tt := range []struct {
		weights []int
		strikes int // after the last
		blocked bool
	}{
		{[]int{1, 1, 1, 1}, 4, false}, {[]int{1, 1, 1, 1, 1}, 5, true},
		{[]int{2, 2}, 4, false}, {[]int{2, 2, 1}, 5, true}, {[]int{4, 4}, 8, true},
		{[]int{5}, 5, true}, {[]int{8}, 8, true}, {[]int{100}, 8, true},
		{[]int{0}, 0, false}, {[]int{-1}, 0, false}, {[]int{4, 0}, 0, false},
	} {
		t.Run(fmt.Sprint(tt.weights), func(t *testing.T) {
			l, network := newLedger(t, MinClients), networkN(1)
			must(t, l, func(tx *Tx) {
				var strikes int
				var block time.Duration
				for _, weight := range tt.weights {
					strikes, block = tx.Strike(network, "test", weight, p)
				}
				if strikes != tt.strikes || (block > 0) != tt.blocked {
					t.Errorf("%d strikes, block for %v; want %d, %v", strikes, block, tt.strikes,
						tt.blocked)
				}
			})
		})
	}
}

// An offence without weight changes nothing.
func TestStrikeOfNoWeight(t *testing.T) {
	l, a := newLedger(t, MinClients), from(hostN(1))
	must(t, l, func(tx *Tx) {
		tx.Remember(a.Network, time.Hour)
		tx.Strike(networkN(2), "first", 1, threeStrikes)
		known, struck := tx.Look(a), tx.Look(from(hostN(2)))
		tx.Strike(a.Network, "test", 0, threeStrikes)
		tx.Strike(networkN(2), "test", 0, threeStrikes)
		if now := tx.Look(a); now != known {
			t.Errorf("%+v; want %+v", now, known)
		}
		if now := tx.Look(from(hostN(2))); now != struck || now.Reason != "first" {
			t.Errorf("%+v; want %+v", now, struck)
		}
	})
}

// Forgive takes back one strike, the newest, if it is known to have that reason.
func TestForgive(t *testing.T) {
	type try struct { // to forgive what is for "early"
		want bool
		left int    // strikes
		why  string // the reason of the last, as far as it is known
	}
	for name, tt := range map[string]struct {
		strikes []string
		tries   []try
	}{
		"none":         {nil, []try{{false, 0, ""}}},
		"one":          {[]string{"early:a"}, []try{{true, 0, ""}, {false, 0, ""}}},
		"two":          {[]string{"early:a", "early:b"}, []try{{true, 1, ""}, {false, 1, ""}}},
		"another":      {[]string{"other"}, []try{{false, 1, "other"}}},
		"after other":  {[]string{"other", "early:a"}, []try{{true, 1, ""}, {false, 1, ""}}},
		"before other": {[]string{"early:a", "other"}, []try{{false, 2, "other"}}},
	} {
		t.Run(name, func(t *testing.T) {
			l, a := newLedger(t, MinClients), from(hostN(1))
			must(t, l, func(tx *Tx) {
				for _, reason := range tt.strikes {
					tx.Strike(a.Network, reason, 1, Penalty{})
				}
				for i, want := range tt.tries {
					got := tx.Forgive(a.Network, "early")
					if s := tx.Look(a); (try{got, s.Strikes, s.Reason}) != want {
						t.Errorf("try %d: %v, %+v; want %+v", i, got, s, want)
					}
				}
			})
		})
	}
}

// The newest goes, so that the others end sooner.
func TestForgiveNewest(t *testing.T) {
	l, a, start := newLedger(t, MinClients), from(hostN(1)), Now()
	for _, at := range []time.Duration{0, 10 * time.Hour} {
		mustAt(t, l, start.After(at), func(tx *Tx) { tx.Strike(a.Network, "early", 1, Penalty{}) })
	}
	mustAt(t, l, start.After(11*time.Hour), func(tx *Tx) { tx.Forgive(a.Network, "early") })
	for i, want := range []int{1, 0} {
		at := 23*time.Hour + time.Duration(i)*2*time.Hour
		mustAt(t, l, start.After(at), func(tx *Tx) {
			if got := tx.Look(a).Strikes; got != want {
				t.Errorf("after %v %d strikes; want %d", at, got, want)
			}
		})
	}
}

// It makes room for another: no older strike is lost.
func TestForgiveMakesRoom(t *testing.T) {
	l, a := newLedger(t, MinClients), from(hostN(1))
	must(t, l, func(tx *Tx) {
		tx.Strike(a.Network, "early", strikesKept, Penalty{})
		tx.Forgive(a.Network, "early")
		if n, _ := tx.Strike(a.Network, "early", 1, Penalty{Within: time.Hour}); n != strikesKept {
			t.Errorf("%d strikes; want %d", n, strikesKept)
		}
	})
}

// While a block is in force its reason stays.
func TestForgiveBlocked(t *testing.T) {
	l, a := newLedger(t, MinClients), from(hostN(1))
	must(t, l, func(tx *Tx) {
		tx.Strike(a.Network, "early", 3, threeStrikes)
		tx.Strike(a.Network, "early", 1, threeStrikes)
		if tx.Forgive(a.Network, "early") || tx.Look(a).Reason != "early" {
			t.Errorf("forgiven: %+v", tx.Look(a))
		}
	})
}

// A network counts as one that has waited while it is known and seven days longer, unless it has a
// strike or a block since.
func TestWaited(t *testing.T) {
	const week = 7 * 24 * time.Hour
	networks := map[string]netip.Prefix{
		"waits": networkN(1), "is struck": networkN(2), "is blocked": networkN(3),
	}
	for at, want := range map[time.Duration]bool{
		0: true, 2 * time.Hour: true, week: true, week + time.Hour - time.Second: true,
		week + time.Hour + time.Second: false, 4 * week: false,
	} {
		l, start := newLedger(t, MinClients), Now()
		mustAt(t, l, start, func(tx *Tx) {
			for name, n := range networks {
				if tx.Look(Arrival{Client: netip.AddrPortFrom(n.Addr(), 1), Network: n}).Waited {
					t.Errorf("one that %s has waited before it came", name)
				}
				tx.Remember(n, time.Hour)
			}
			tx.Strike(networks["is struck"], "test", 1, Penalty{})
			tx.Block(networks["is blocked"], time.Second, "test", Penalty{})
		})
		mustAt(t, l, start.After(at), func(tx *Tx) {
			for name, n := range networks {
				s := tx.Look(Arrival{Client: netip.AddrPortFrom(n.Addr(), 1), Network: n})
				if s.Waited != (want && name == "waits") {
					t.Errorf("after %v one that %s has waited: %v", at, name, s.Waited)
				}
			}
		})
	}
}
