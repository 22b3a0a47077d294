package ledger

import (
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

// jumping is a moment whose wall clock has been set to any time within twenty years.
func jumping(m Moment) Moment {
	m.Wall = m.Wall.Add(time.Duration(rand.Int64N(int64(20*year))) - 10*year)
	return m
}

// However the wall clock jumps between two operations, everything lasts as long as it was meant to.
func TestTimeOfAJumpingWallClock(t *testing.T) {
	l := newLedger(t, MinClients)
	start := Now()
	network, a := networkN(1), from(hostN(1))
	a.Limits = Limits{Rate: 10, Per: 10 * time.Minute}
	mustAt(t, l, start, func(tx *Tx) {
		tx.Block(network, time.Hour, "test", Penalty{})
		tx.Remember(networkN(2), time.Hour)
		tx.Strike(networkN(3), "test", 1, Penalty{Strikes: 8, Within: time.Hour, For: time.Hour,
			Max: time.Hour})
		s, _ := tx.Enter(a, Self())
		tx.Serve(s)
	})
	for _, at := range []time.Duration{0, time.Second, 9 * time.Minute, 11 * time.Minute,
		59 * time.Minute, time.Hour - time.Millisecond,
		time.Hour, time.Hour + time.Second, 23 * time.Hour, 25 * time.Hour} {
		mustAt(t, l, jumping(start.After(at)), func(tx *Tx) {
			s := tx.Look(a)
			if left := max(0, time.Hour-at); s.BlockLeft != left || s.Blocked != (left > 0) {
				t.Errorf("after %v the block of an hour has %v left", at, s.BlockLeft)
			}
			if want := map[bool]int{true: 1}[at < 10*time.Minute]; s.Arrivals != want {
				t.Errorf("after %v %d arrivals within ten minutes; want %d", at, s.Arrivals, want)
			}
			if s.Conns != 1 || s.Serving != 1 {
				t.Errorf("after %v the session is gone: %+v", at, s)
			}
			if s := tx.Look(from(hostN(2))); s.Known != (at < time.Hour) {
				t.Errorf("after %v of an hour it is known: %v", at, s.Known)
			}
			if s := tx.Look(from(hostN(3))); s.Strikes != map[bool]int{true: 1}[at < 24*time.Hour] {
				t.Errorf("after %v it has %d strikes", at, s.Strikes)
			}
			if live := tx.Sessions(); len(live) != 1 || live[0].Age != at {
				t.Errorf("after %v the session says %+v", at, live)
			}
		})
	}
}

// Each block of a network is twice as long as the one before, up to the maximum. After as long as
// that without a block a network starts at the beginning. No administrator's block is longer than
// MaxBlock.
func TestTimeOfBlocks(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	p := Penalty{Strikes: 2, Within: 10 * time.Minute, For: time.Hour, Max: 5 * time.Hour}
	network := networkN(1)
	earn := func() (d time.Duration) {
		mustAt(t, l, jumping(now), func(tx *Tx) {
			if n, d := tx.Strike(network, "test", 1, p); n != 1 || d != 0 {
				t.Errorf("after a block, the first strike: %d, %v", n, d)
			}
			var n int
			if n, d = tx.Strike(network, "test", 1, p); n != 2 {
				t.Errorf("the second strike is number %d", n)
			}
		})
		return d
	}
	for i, want := range []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour, 5 * time.Hour,
		5 * time.Hour} {
		if d := earn(); d != want {
			t.Errorf("block %d is %v long; want %v", i+1, d, want)
		}
		blocks, err := l.Blocks(now)
		if err != nil || len(blocks) != 1 || blocks[0] != (BlockedNetwork{Network: network,
			Left: want, Reason: "test", Times: i + 1}) {
			t.Errorf("block %d: %+v, %v", i+1, blocks, err)
		}
		now = now.After(want + p.Max - time.Millisecond) // not quite long enough to be forgotten
	}
	now = now.After(2 * time.Millisecond)
	if d := earn(); d != time.Hour {
		t.Errorf("after %v of good behaviour a block is %v long; want 1h", p.Max, d)
	}
	mustAt(t, l, now, func(tx *Tx) {
		for _, tt := range []struct{ d, want time.Duration }{
			{time.Millisecond, time.Millisecond}, {time.Hour, time.Hour}, {MaxBlock, MaxBlock},
			{MaxBlock + 1, MaxBlock}, {100 * year, MaxBlock},
		} {
			if d := tx.BlockByHand(network, tt.d, "test", Penalty{}); d != tt.want {
				t.Errorf("a block of %v is %v long; want %v", tt.d, d, tt.want)
			}
			if s := tx.Look(from(hostN(1))); s.BlockLeft != tt.want {
				t.Errorf("a block of %v has %v left; want %v", tt.d, s.BlockLeft, tt.want)
			}
		}
		tx.Remember(network, 100*year)
	})
	mustAt(t, l, now.After(MaxBlock), func(tx *Tx) {
		if s := tx.Look(from(hostN(1))); s.Blocked || s.Known {
			t.Errorf("after the longest time there is: %+v", s)
		}
	})
}

// Strikes that come too slowly cause no block.
func TestTimeOfStrikes(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	for n := range 20 {
		mustAt(t, l, jumping(now), func(tx *Tx) {
			if strikes, d := tx.Strike(networkN(1), "test", 1,
				Penalty{Strikes: 3, Within: 10 * time.Minute, For: time.Hour,
					Max: time.Hour}); d != 0 ||
				strikes != min(n+1, 2) {
				t.Errorf("strike %d counts as %d and blocks for %v", n+1, strikes, d)
			}
		})
		now = now.After(5 * time.Minute)
	}
}

// A client with a strike or a block is no longer known, not even when that is over.
func TestTimeOfTheKnown(t *testing.T) {
	l := newLedger(t, MinClients)
	for n, do := range []func(*Tx){
		func(tx *Tx) { tx.Strike(networkN(0), "test", 1, threeStrikes) },
		func(tx *Tx) { tx.Block(networkN(1), time.Millisecond, "test", Penalty{}) },
	} {
		must(t, l, func(tx *Tx) {
			tx.Remember(networkN(n), time.Hour)
			if s := tx.Look(from(hostN(n))); !s.Known {
				t.Error("not known at once")
			}
			do(tx)
		})
		time.Sleep(2 * time.Millisecond)
		if s := look(t, l, from(hostN(n))); s.Known || s.Blocked {
			t.Errorf("host %d: %+v", n, s)
		}
	}
}

// What a client earns by an earlier session does not shorten a block that an administrator has set.
func TestTimeOfBlocksInForce(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) {
		tx.Block(networkN(1), 7*24*time.Hour, "admin", Penalty{})
		for range 3 {
			tx.Strike(networkN(1), "test", 1, threeStrikes)
		}
		if s := tx.Look(from(hostN(1))); s.BlockLeft != 7*24*time.Hour {
			t.Errorf("after three strikes a block of seven days has %v left", s.BlockLeft)
		}
	})
}

// Unblock frees the network and all networks within it, and forgets their strikes. Others stay
// blocked.
func TestUnblock(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	l, _ := mustOpen(t, path, MinClients)
	networks := []string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "10.2.0.0/16",
		"2001:db8::/32", "2001:db8:1::/48", "::/0"}
	for _, tt := range []struct {
		free string
		want int
	}{
		{"10.1.0.0/16", 3}, {"10.0.0.0/16", 0}, {"10.1.2.3/32", 1}, {"10.0.0.0/8", 5},
		{"0.0.0.0/0", 5}, {"2001:db8::/32", 2}, {"::/0", 3}, {"11.0.0.0/8", 0},
		{"2001:db8:2::/48", 0},
	} {
		now := Now()
		for _, n := range networks {
			mustAt(t, l, now, func(tx *Tx) {
				tx.Block(netip.MustParsePrefix(n), time.Hour, "test", Penalty{})
				tx.Strike(netip.MustParsePrefix(n), "test", 1, Penalty{})
			})
		}
		freed, err := l.Unblock(now, netip.MustParsePrefix(tt.free))
		if err != nil || len(freed) != tt.want {
			t.Errorf("unblocking %s frees %v, %v; want %d", tt.free, freed, err, tt.want)
		}
		for _, n := range freed {
			mustAt(t, l, now, func(tx *Tx) {
				if n, d := tx.Strike(n, "test", 1,
					Penalty{Strikes: 2, Within: time.Hour, For: time.Hour,
						Max: time.Hour}); n != 1 || d != 0 {
					t.Errorf("the first strike after it was unblocked: %d, %v", n, d)
				}
			})
		}
		blocks, err := l.Blocks(now)
		if err != nil || len(blocks) != len(networks)-tt.want {
			t.Errorf("after unblocking %s %d are blocked, %v; want %d", tt.free, len(blocks), err,
				len(networks)-tt.want)
		}
	}
}
