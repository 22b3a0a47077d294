package ledger

import (
	"net/netip"
	"testing"
	"time"
)

// A block of no certain length is never shorter than the one that runs, whosoever that is.
func TestTimeOfABlockAnew(t *testing.T) {
	p := Penalty{Strikes: 3, Within: time.Hour, For: time.Hour, Max: 5 * time.Hour}
	for _, tt := range []struct {
		name            string
		running, d, got time.Duration
		p               Penalty
	}{
		{"none runs", 0, 0, time.Hour, p},
		{"none runs, and none would begin", 0, 0, 0, Penalty{}},
		{"a shorter one runs", time.Minute, 0, 2 * time.Hour, p},
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
			if d := tx.Block(networkN(1), tt.d, "guard", tt.p); d != tt.got {
				t.Errorf("%s: blocked for %v; want %v", tt.name, d, tt.got)
			}
			if s := tx.Look(from(hostN(1))); s.BlockLeft != tt.got {
				t.Errorf("%s: %v are left; want %v", tt.name, s.BlockLeft, tt.got)
			}
		})
		blocks, err := l.Blocks(now.After(time.Minute / 2))
		if err != nil || (len(blocks) == 1) != (tt.got > 0) || tt.got > 0 && blocks[0].Age != time.Minute/2 {
			t.Errorf("%s: half a minute later: %+v, %v", tt.name, blocks, err)
		}
	}
}

// The block that holds a client is the one that Look tells of, of all that do the one that runs longest.
func TestBlockOf(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	for n, d := range map[string]time.Duration{
		"192.0.2.1/32": time.Hour, "192.0.2.0/24": 2 * time.Hour, "192.0.0.0/16": 30 * time.Minute, "192.0.2.128/25": time.Minute,
		"2001:db8::/64": time.Hour, "2001:db8::/32": 3 * time.Hour, "::/0": time.Minute,
	} {
		mustAt(t, l, now, func(tx *Tx) { tx.Block(netip.MustParsePrefix(n), d, "on_"+n, threeStrikes) })
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
			if ok != (tt.network != "") || ok && (b.Network.String() != tt.network || b.Left != tt.left || b.Age != 2*time.Minute || b.Reason != "on_"+tt.network || b.Times != 1) {
				t.Errorf("%s: %+v, %v; want %v of %s", tt.client, b, ok, tt.left, tt.network)
			}
			if err := difference(before, content(l)); err != "nothing" {
				t.Errorf("%s: to ask has changed something: %s", tt.client, err)
			}
			s := tx.Look(Arrival{Client: netip.AddrPortFrom(client, 25), Network: n})
			if s.Blocked != ok || s.BlockLeft != b.Left || s.Network != b.Network || s.Reason != b.Reason {
				t.Errorf("%s: Look says %+v, BlockOf %+v", tt.client, s, b)
			}
		})
		before = content(l)
	}
}
