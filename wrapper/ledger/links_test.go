package ledger

import (
	"math"
	"net/netip"
	"testing"
	"time"
)

// Damage to single numbers of a populated ledger, in which hosts 0 to 9 have three sessions each,
// in slots 0 to 29.
func damages() map[string]func(l *Ledger) {
	slot := func(host, n int) int { return host*3 + n }
	record := func(l *Ledger, host int) *client { return l.record(l.find(keyOf(networkN(host)))) }
	return map[string]func(l *Ledger){
		"a list that leads back to its beginning": func(l *Ledger) {
			l.slot(slot(1,
				0)).next = record(l, 1).first
		},
		"a slot that follows itself": func(l *Ledger) {
			l.slot(slot(1,
				1)).next = uint32(slot(1, 1)) + 1
		},
		"a list that leads into another": func(l *Ledger) {
			l.slot(slot(1,
				0)).next = record(l, 2).first
		},
		"a list that leads nowhere": func(l *Ledger) {
			l.slot(slot(1,
				0)).next = math.MaxUint32
		},
		"a list that is another's": func(l *Ledger) {
			c := record(l, blockedN)
			c.epoch, c.sessions, c.first = l.header.epoch, 3, record(l, 2).first
		},
		"a count too high": func(l *Ledger) { record(l, 1).sessions = 1000 },
		"a count too low":  func(l *Ledger) { record(l, 1).sessions = 1 },
		"totals too high": func(l *Ledger) {
			l.state.waiting, l.state.serving = math.MaxUint32,
				1<<31
		},
		"totals too low": func(l *Ledger) { l.state.waiting, l.state.serving = 0, 0 },
		"a swept future": func(l *Ledger) {
			l.state.sweepAt, l.state.waiting = math.MaxInt64,
				5000
		},
		"a session of process 0": func(l *Ledger) {
			l.slot(slot(9, 2) + 1).state = slotWaiting
			l.bitmap[0] |= 1 << (slot(9, 2) + 1)
		},
		"process 0 in the first slot": func(l *Ledger) { *l.slot(0) = session{state: slotWaiting} },
		"a session in no state":       func(l *Ledger) { l.slot(slot(1, 0)).state = 77 },
		"a free slot marked as used":  func(l *Ledger) { l.bitmap[50] = 1 << 7 },
		"all slots marked as used": func(l *Ledger) {
			for i := range l.bitmap {
				l.bitmap[i] = ^uint64(0)
			}
		},
		"a process of an impossible number": func(l *Ledger) {
			l.slot(slot(1,
				1)).pid = math.MaxUint32
		},
	}
}

// Whatever is wrong with one number: after a look at every client, each has the sessions that it
// has.
func TestHonestLinks(t *testing.T) {
	for name, damage := range damages() {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t, MinClients)
			populate(t, l, Now(), Self())
			damage(l)
			limits := Limits{Conns: 3, Serving: 1000, Waiting: 1000}
			ends("a look by each client", func() {
				for n := range 10 {
					a := from(hostN(n))
					a.Limits = limits
					if s := look(t, l, a); s.Conns > 3 {
						t.Errorf("host %d has %d sessions; want 3 at most", n, s.Conns)
					}
				}
			})
			if s := look(t, l, from(hostN(blockedN))); s.Conns != 0 || !s.Blocked {
				t.Errorf("a client without sessions: %+v", s)
			}
			must(t, l, func(tx *Tx) { tx.Totals() })
			for i := range l.liveSlots() {
				if s := l.slot(i); int(s.pid) != Self().PID {
					t.Errorf("slot %d is still in use by process %d", i, s.pid)
				}
			}
			a := from(netip.MustParseAddr("192.0.2.1"))
			a.Limits = limits
			for n := range 3 {
				must(t, l, func(tx *Tx) {
					if s := tx.Look(a); s.Conns != n || s.Waiting > 40 || s.Serving > 3 {
						t.Errorf("the next client's %d. session: %+v", n+1, s)
					}
					if _, ok := tx.Enter(a, Self()); !ok {
						t.Error("no slot")
					}
				})
			}
		})
	}
}

// No block is longer than MaxBlock, whatever its record says.
func TestHonestBlocks(t *testing.T) {
	now := Now()
	at := now.Wall.UnixMilli()
	for _, tt := range []struct{ from, till int64 }{
		{1, math.MaxInt64}, {math.MinInt64, math.MaxInt64}, {-1, math.MaxInt64}, {0, at + 1000},
		{at + 1000, at + 2000},
		{at, at + MaxBlock.Milliseconds() + 1}, {math.MaxInt64, math.MinInt64}, {at - 10, at - 5},
		{math.MinInt64, at + 1000},
	} {
		l := newLedger(t, MinClients)
		mustAt(t, l, now, func(tx *Tx) { tx.Block(networkN(1), time.Hour, "test", Penalty{}) })
		c := l.record(l.find(keyOf(networkN(1))))
		c.blockedAt, c.blockTill = tt.from, tt.till
		mustAt(t, l, now.After(time.Millisecond), func(tx *Tx) {
			if s := tx.Look(from(hostN(1))); s.Blocked {
				t.Errorf("from %d to %d is taken for a block: %v left", tt.from, tt.till,
					s.BlockLeft)
			}
		})
	}
}

// An undo log that this program never wrote undoes nothing outside of what the program writes, and
// ends.
func TestHonestUndoLog(t *testing.T) {
	size := uint64(geometryFor(MinClients).size())
	for _, tt := range []struct{ at, size uint64 }{
		{0, 8}, {8, 64}, {totalsAt - 8, 16}, {stateAt, 8192}, {undoAt, 8}, {undoAt - 8, 16},
		{ringAt - 8, 8}, {size, 8}, {size - 8, 16},
		{size - 8, 8193}, {math.MaxUint64, 1}, {math.MaxUint64 - 7, 8}, {math.MaxUint64 - 15, 64},
		{1 << 63, 1 << 63}, {ringAt, math.MaxUint64},
		{ringAt, 1 << 63},
	} {
		l := newLedger(t, MinClients)
		populate(t, l, Now(), Self())
		before := content(l)
		s := view[undoEntry](l.mem, undoAt+undoHead)
		s.at, s.size = tt.at, tt.size
		l.undo.used.Store(undoSize - undoHead)
		must(t, l, func(*Tx) {})
		if got := content(l); difference(before, got) != "nothing" {
			t.Errorf("%d bytes at %d: %s", tt.size, tt.at, difference(before, got))
		}
	}
	for _, used := range []uint64{1, 8, 15, 17, undoSize, math.MaxUint64} {
		l := newLedger(t, MinClients)
		l.undo.used.Store(used)
		must(t, l, func(*Tx) {})
		mustAudit(t, l)
	}
}

// Local clients over IPv6 are counted as ::/64. That does not concern IPv4 clients, whose records
// have the form ::ffff:0:0/96.
func TestBlockOfIPv6LeavesIPv4Alone(t *testing.T) {
	for _, network := range []string{"::/64", "::/0", "::1/128", "::/80", "::fffe:0:0/95"} {
		l := newLedger(t, MinClients)
		must(t, l, func(tx *Tx) {
			tx.Block(netip.MustParsePrefix(network), time.Hour, "test", Penalty{})
			if s := tx.Look(from(netip.MustParseAddr("192.0.2.1"))); s.Blocked {
				t.Errorf("a block of %s blocks 192.0.2.1, by %v", network, s.Network)
			}
		})
	}
	for network, client := range map[string]string{
		"0.0.0.0/0": "192.0.2.1", "192.0.0.0/8": "192.0.2.1", "192.0.2.1/32": "192.0.2.1",
		"::/0": "2001:db8::1", "2001:db8::/32": "2001:db8::1",
		"::/64": "::1", "2001:db8::1/128": "2001:db8::1", "2001:db8::/127": "2001:db8::1",
	} {
		l := newLedger(t, MinClients)
		must(t, l, func(tx *Tx) {
			tx.Block(netip.MustParsePrefix(network), time.Hour, "test", Penalty{})
			a := from(netip.MustParseAddr(client))
			if s := tx.Look(a); !s.Blocked || s.Network != netip.MustParsePrefix(network) ||
				s.Reason != "test" {
				t.Errorf("a block of %s does not block %s: %+v", network, client, s)
			}
			a.Network = netip.PrefixFrom(a.Client.Addr(), a.Network.Bits()/2).Masked()
			if s := tx.Look(a); !s.Blocked {
				t.Errorf("a block of %s does not block %s, counted as %v", network, client,
					a.Network)
			}
			if s := tx.Look(from(netip.MustParseAddr("203.0.113.9"))); s.Blocked &&
				network != "0.0.0.0/0" {
				t.Errorf("a block of %s blocks 203.0.113.9", network)
			}
		})
	}
}
