package ledger

import (
	"net/netip"
	"testing"
	"time"
)

// A block without a given length is never shorter than the one in force, whoever has set that.
func TestTimeOfABlockSetAgain(t *testing.T) {
	p := Penalty{Strikes: 3, Within: time.Hour, For: time.Hour, Max: 5 * time.Hour}
	for _, tt := range []struct {
		name            string
		running, d, got time.Duration
		p               Penalty
	}{
		{"none runs", 0, 0, time.Hour, p},
		{"none runs, and none would begin", 0, 0, 0, Penalty{}},
		{"a shorter one runs", time.Minute, 0, time.Hour, p},
		{"a longer one runs", 9 * time.Hour, 0, 9*time.Hour - time.Second, p},
		{"the longest runs", MaxBlock, 0, MaxBlock - time.Second, p},
		{"one runs, and none would begin", time.Minute, 0, time.Minute - time.Second, Penalty{}},
		{"a shorter one by hand", 9 * time.Hour, time.Minute, time.Minute, p},
	} {
		l := newLedger(t, MinClients)
		now := Now()
		mustAt(t, l, now, func(tx *Tx) { tx.Block(networkN(1), tt.running, "admin", p) })
		now = now.After(time.Second)
		mustAt(t, l, now, func(tx *Tx) {
			if tt.running == 0 {
				*tx.l.change(tx.l.find(keyOf(networkN(1)))) = client{}
				tx.state().clients--
			}
			set := (*Tx).Block
			if tt.d > 0 {
				set = (*Tx).BlockByHand // nobody else may make it shorter
			}
			if d := set(tx, networkN(1), tt.d, "guard", tt.p); d != tt.got {
				t.Errorf("%s: blocked for %v; want %v", tt.name, d, tt.got)
			}
			if s := tx.Look(from(hostN(1))); s.BlockLeft != tt.got {
				t.Errorf("%s: %v are left; want %v", tt.name, s.BlockLeft, tt.got)
			}
		})
		blocks, err := l.Blocks(now.After(time.Minute / 2))
		age := time.Minute / 2
		if tt.running > 0 {
			age += time.Second
		}
		if err != nil || (len(blocks) == 1) != (tt.got > 0) ||
			tt.got > 0 && (blocks[0].Age != age || blocks[0].Times != 1) {
			t.Errorf("%s: half a minute later: %+v, %v", tt.name, blocks, err)
		}
	}
}

// Setting a block that is in force changes its end and its reason, however often: it is not a
// further offence, whether an administrator, a filter or the guard does it. A block that begins
// after the last one has ended is.
func TestBlockSetAgain(t *testing.T) {
	p := Penalty{Strikes: 1, Within: time.Hour, For: time.Hour, Max: 24 * time.Hour}
	l := newLedger(t, MinClients)
	began := Now()
	set := func(at, want time.Duration, times int, since time.Duration,
		by func(tx *Tx) time.Duration) {
		t.Helper()
		now := began.After(at)
		mustAt(t, l, now, func(tx *Tx) {
			if got := by(tx); got != want {
				t.Errorf("after %v: blocked for %v; want %v", at, got, want)
			}
		})
		blocks, err := l.Blocks(now)
		if err != nil || len(blocks) != 1 || blocks[0].Left != want || blocks[0].Times != times ||
			blocks[0].Age != at-since {
			t.Errorf("after %v: %+v, %v; want %v, the %d. since %v", at, blocks, err, want, times,
				since)
		}
	}
	block := func(d time.Duration) func(tx *Tx) time.Duration {
		return func(tx *Tx) time.Duration { return tx.BlockByHand(networkN(1), d, "x", p) }
	}
	strike := func(tx *Tx) time.Duration {
		_, d := tx.Strike(networkN(1), "x", 1, p)
		return d
	}
	for i := range 5 { // fail2ban prolongs
		set(time.Duration(i)*time.Second, 10*time.Second, 1, 0, block(10*time.Second))
	}
	set(5*time.Second, time.Hour, 1, 0, block(0)) // the guard
	set(6*time.Second, time.Hour, 1, 0, strike)
	set(7*time.Second, time.Second, 1, 0, block(time.Second)) // shorter
	set(time.Minute, 2*time.Hour, 2, time.Minute, strike)     // another offence
	set(2*time.Minute, 2*time.Hour, 2, time.Minute, block(0))

	// A block that was extended many times is still a valid one.
	const day = 24 * time.Hour
	set(2*time.Hour, MaxBlock, 2, 2*time.Hour, block(MaxBlock))
	set(20*day, MaxBlock, 2, 20*day, block(MaxBlock))
	set(40*day, day, 2, 20*day, block(day))
}

// BlockOf finds the block that Look reports: of all that hold the client, the one that runs
// longest.
func TestBlockOf(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	for n, d := range map[string]time.Duration{
		"192.0.2.1/32": time.Hour, "192.0.2.0/24": 2 * time.Hour, "192.0.0.0/16": 30 * time.Minute,
		"192.0.2.128/25": time.Minute,
		"2001:db8::/64":  time.Hour, "2001:db8::/32": 3 * time.Hour, "::/0": time.Minute,
	} {
		mustAt(t, l, now, func(tx *Tx) {
			tx.Block(netip.MustParsePrefix(n), d, "on_"+n,
				threeStrikes)
		})
	}
	mustAt(t, l, now, func(tx *Tx) { tx.Enter(from(netip.MustParseAddr("192.0.2.1")), nobody) })
	now = now.After(2 * time.Minute)
	before := content(l)
	for _, tt := range []struct {
		client  string
		bits    int
		network string // "" = not blocked
		left    time.Duration
	}{
		{"192.0.2.1", 32, "192.0.2.0/24", 118 * time.Minute},
		{"192.0.2.200", 32, "192.0.2.0/24", 118 * time.Minute},
		{"192.0.2.200", 24, "192.0.2.0/24", 118 * time.Minute},
		{"192.0.3.1", 32, "192.0.0.0/16", 28 * time.Minute},
		{"192.1.3.1", 32, "", 0},
		{"2001:db8::1", 64, "2001:db8::/32", 178 * time.Minute},
		{"2001:db8:7::1", 64, "2001:db8::/32", 178 * time.Minute},
		{"2001:db9::1", 64, "", 0}, // the block on ::/0 is over
	} {
		client := netip.MustParseAddr(tt.client)
		n, _ := client.Prefix(tt.bits)
		mustAt(t, l, now, func(tx *Tx) {
			b, ok := tx.BlockOf(client, n)
			if ok != (tt.network != "") || ok &&
				(b.Network.String() != tt.network || b.Left != tt.left || b.Age != 2*time.Minute ||
					b.Reason != "on_"+tt.network || b.Times != 1) {
				t.Errorf("%s: %+v, %v; want %v of %s", tt.client, b, ok, tt.left, tt.network)
			}
			if err := difference(before, content(l)); err != "nothing" {
				t.Errorf("%s: to ask has changed something: %s", tt.client, err)
			}
			s := tx.Look(Arrival{Client: netip.AddrPortFrom(client, 25), Network: n})
			if s.Blocked != ok || s.BlockLeft != b.Left || s.Network != b.Network ||
				s.Reason != b.Reason {
				t.Errorf("%s: Look says %+v, BlockOf %+v", tt.client, s, b)
			}
		})
		before = content(l)
	}
}
