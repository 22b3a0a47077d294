package ledger

import (
	"net/netip"
	"testing"
	"time"
)

// limited is the arrival of a host, which is counted in its /24 and its /16 as well, with these
// limits for both.
func limited(host netip.Addr, conns, rate int) Arrival {
	a := from(host)
	a.Limits = Limits{Rate: 1000, Per: time.Minute}
	a.WideLimits = new([MaxWide]WideLimits)
	for n, bits := range []int{24, 16} {
		network, _ := host.Prefix(bits)
		a.WideLimits[n] = WideLimits{Network: network, Conns: conns, Rate: rate, Per: time.Hour}
	}
	return a
}

// limitedV6 is limited for a client in the n-th /64 of a /48: of that and of the /32 around it.
func limitedV6(wider string, n, conns, rate int) Arrival {
	a := within(wider, n)
	a.Limits = Limits{Serving: 1, Waiting: 1, Scarce: 60}
	a.WideLimits = new([MaxWide]WideLimits)
	for n, bits := range []int{48, 32} {
		network, _ := a.Client.Addr().Prefix(bits)
		a.WideLimits[n] = WideLimits{Network: network, Conns: conns, Rate: rate, Per: time.Hour}
	}
	return a
}

func (a Arrival) wantsCounts(t *testing.T, tx *Tx, when string, narrow, wide WideCount) {
	t.Helper()
	if got := tx.Look(a).WideCounts; got != [MaxWide]WideCount{narrow, wide} {
		t.Errorf("%s: %+v; want %+v and %+v", when, got, narrow, wide)
	}
	if err := audit(tx.l); err != nil {
		t.Errorf("%s: %v", when, err)
	}
}

// Sessions and arrivals are counted in each of both widths, as long as the sessions live and the
// arrivals matter; also when they are handed on, in a ledger of another size, and after a reboot.
func TestExactWideCounts(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	at := func(a, b, c byte) Arrival {
		return limited(netip.AddrFrom4([4]byte{10, a, b, c}), 1000, 1000)
	}
	var all []Session
	mustAt(t, l, now, func(tx *Tx) {
		for n := range byte(5) {
			for _, a := range []Arrival{at(1, 1, n), at(1, 2, n), at(2, 1, n)} {
				s, _ := tx.Enter(a, aRoom())
				all = append(all, s)
				tx.checkpoint()
			}
		}
		at(1, 1, 99).wantsCounts(t, tx, "all wait", WideCount{5, 5}, WideCount{10, 10})
		tx.Serve(all[0])
		tx.Leave(all[3])
		tx.Leave(all[3])
		all[0], _ = tx.Transfer(all[0], Self())
		at(1, 1, 99).wantsCounts(t, tx, "one has left", WideCount{4, 5}, WideCount{9, 10})
		at(1, 3, 1).wantsCounts(t, tx, "beside", WideCount{0, 0}, WideCount{9, 10})
		tx.AddSession(at(1, 1, 7), aRoom())
		at(1, 1, 99).wantsCounts(t, tx, "one is added", WideCount{5, 5}, WideCount{10, 10})
		again := at(1, 1, 99)
		if s := tx.LookAgain(again); s.WideCounts != [MaxWide]WideCount{} {
			t.Errorf("again: %+v", s.WideCounts)
		}
	})
	if s, ok := l.Peek(now, at(1, 1, 99)); !ok || s.WideCounts[1] != (WideCount{10, 10}) {
		t.Errorf("without the lock: %+v", s.WideCounts)
	}
	again, _ := mustOpen(t, l.path, 4*MinClients)
	mustAt(t, again, now, func(tx *Tx) {
		at(1, 1, 99).wantsCounts(t, tx, "in a larger ledger", WideCount{5, 5}, WideCount{10, 10})
		tx.FreeExcept(aRoom(), func(Session) bool { return false })
		at(1, 1, 99).wantsCounts(t, tx, "all are gone", WideCount{0, 5}, WideCount{0, 10})
	})
	again.boot = bootN(3)
	later := Moment{time.Second, now.Wall.Add(time.Minute)}
	mustAt(t, again, later, func(tx *Tx) {
		at(1, 1, 99).wantsCounts(t, tx, "after a reboot", WideCount{0, 5}, WideCount{0, 10})
		s, _ := tx.Enter(at(1, 1, 9), Self())
		at(1, 1, 99).wantsCounts(t, tx, "and then", WideCount{1, 6}, WideCount{1, 11})
		tx.Leave(s)
	})
	mustAt(t, again, later.After(2*time.Hour), func(tx *Tx) {
		at(1, 1, 99).wantsCounts(t, tx, "two hours later", WideCount{}, WideCount{})
	})
}

// A /48 that has limits and is counted for scarce places as well is counted once.
func TestExactWideCountsOfIPv6(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) {
		var all []Session
		for n := range 4 {
			s, _ := tx.Enter(limitedV6(wideA, n, 100, 100), Self())
			all = append(all, s)
			tx.checkpoint()
		}
		tx.Enter(limitedV6(wideB, 1, 100, 100), Self())
		tx.checkpoint()
		tx.Enter(within(wideA, 5), Self()) // before there were limits
		tx.Serve(all[0])
		a := limitedV6(wideA, 99, 100, 100)
		a.wants(t, tx, "for scarce places", Wide{5, 1})
		a.wantsCounts(t, tx, "for limits", WideCount{5, 4}, WideCount{5, 5})
		for _, s := range all {
			tx.Leave(s)
			tx.checkpoint()
		}
		a.wants(t, tx, "for scarce places", Wide{1, 0})
		a.wantsCounts(t, tx, "at the end", WideCount{1, 4}, WideCount{1, 5})
	})
}

// The dead do not count at the limit. Below it they do until somebody looks.
func TestExactWideCountsOfTheDead(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	c := start(t, "room", ledgerPath(t, l), "wait")
	c.line(t)
	p, err := Identify(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		who := p
		if n%4 == 0 {
			who = Self()
		}
		mustAt(t, l, now, func(tx *Tx) { tx.Enter(limited(hostN(n), 40, 0), who) })
	}
	counts := func(when string, conns int, want int32) {
		t.Helper()
		mustAt(t, l, now.After(2*time.Second), func(tx *Tx) {
			got := tx.Look(limited(hostN(99), conns, 0)).WideCounts
			if got[0].Conns != want || got[1].Conns != want {
				t.Errorf("%s: %+v; want %d in both", when, got, want)
			}
			if err := audit(tx.l); err != nil {
				t.Error(err)
			}
		})
	}
	counts("all live", 40, 40)
	mustAt(t, l, now, func(tx *Tx) { // however long that look has taken
		for r := range tx.l.records() {
			if w := tx.l.record(r); w.used == usedByWide {
				tx.l.change(r).knownTill = 0
			}
		}
	})
	_ = c.kill()
	counts("below the limit", 41, 40)
	counts("at the limit", 40, 10)
}

// At the limit the count is that of the moment, like that of a network's own limit: a process that
// dies right after it has been looked at does not count for the next client.
func TestExactWideCountsAtTheLimit(t *testing.T) {
	const limit = 4
	l, now := newLedger(t, MinClients), Now()
	arrival := func(n int) Arrival { return limited(hostN(n), limit, 0) }
	var all []*child
	for n := range limit {
		c := start(t, "room", ledgerPath(t, l), "wait")
		c.line(t)
		all = append(all, c)
		p, err := Identify(c.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		mustAt(t, l, now, func(tx *Tx) { tx.Enter(arrival(n), p) })
	}
	for n, c := range all {
		at := now.After(2 * time.Duration(n+1) * time.Second)
		wants := func(want int) {
			t.Helper()
			mustAt(t, l, at, func(tx *Tx) {
				want := WideCount{Conns: int32(want)}
				arrival(99).wantsCounts(t, tx, "a look", want, want)
			})
		}
		wants(limit) // all are alive
		_ = c.kill()
		wants(limit - 1)
		mustAt(t, l, at, func(tx *Tx) { tx.Enter(arrival(n), Self()) })
	}
	mustAudit(t, l)
}

// Ten million addresses do not push out the count of a wide network with live sessions, nor, as
// long as it is newer than what they bring, its arrivals.
func TestBoundedWideCounts(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	a := limited(hostN(1), 100, 100)
	mustAt(t, l, now, func(tx *Tx) {
		for n := range 3 {
			s, _ := tx.Enter(limited(hostN(n), 100, 100), Self())
			tx.Serve(s)
			tx.checkpoint()
		}
	})
	n := 0
	for range 300 { // the records are replaced hundreds of times
		mustAt(t, l, now, func(tx *Tx) {
			for range 1000 {
				n++
				host := netip.AddrFrom4([4]byte{byte(11 + n%200), byte(n >> 16), byte(n >> 8),
					byte(n)})
				tx.Remember(from(host).Network, time.Hour)
				tx.checkpoint()
				s, _ := tx.Enter(limited(host, 100, 100), nobody)
				tx.Leave(s)
				tx.checkpoint()
			}
		})
	}
	mustAt(t, l, now, func(tx *Tx) {
		a.wantsCounts(t, tx, "after the flood", WideCount{3, 3}, WideCount{3, 3})
	})
}

// What the file says of sessions in a wide network is corrected at the limit.
func TestHonestWideCounts(t *testing.T) {
	for what, damage := range map[string]func(tx *Tx, w *client){
		"too high":     func(_ *Tx, w *client) { w.sessions, w.first = 77, 88 },
		"believed":     func(_ *Tx, w *client) { w.sessions, w.knownTill = 77, 1<<63-1 },
		"other widths": func(tx *Tx, w *client) { w.sessions = 77; tx.state().widths[5] = 255 },
		"full windows": func(_ *Tx, w *client) { w.sessions = 77; w.rate.newest = 1<<32 - 1 },
	} {
		l := newLedger(t, MinClients)
		must(t, l, func(tx *Tx) {
			for n := range 3 {
				tx.Enter(limited(hostN(n), 5, 0), Self())
				tx.checkpoint()
			}
			for r := range tx.l.records() {
				if w := tx.l.record(r); w.used == usedByWide {
					damage(tx, w)
				}
			}
			tx.checkpoint()
			if got := tx.Look(limited(hostN(9), 5, 0)).WideCounts[0].Conns; got != 3 {
				t.Errorf("%s: %d; want 3", what, got)
			}
		})
	}
}

// A whole arrival with two widths, a strike in all and its end fit in the undo log at once.
func TestUndoHasRoomForWideNetworks(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) {
		a := limitedV6(wideA, 1, 100, 100)
		p := Penalty{Strikes: 1, Within: time.Hour, For: time.Hour, Max: time.Hour}
		tx.Look(a)
		s, _ := tx.Enter(a, Self())
		tx.ForgetHangups(a.Network)
		tx.ClaimLookup(a.Client.Addr(), of, Self())
		tx.Serve(s)
		tx.Remember(a.Network, time.Hour)
		tx.Spoke(time.Second)
		for _, network := range []netip.Prefix{a.WideLimits[1].Network, a.WideLimits[0].Network,
			a.Network} {
			tx.Strike(network, "early", 1, p)
		}
		tx.Leave(s)
		tx.Count(9)
		t.Logf("%d of %d bytes", l.undoUsed, undoSize)
	})
	mustAudit(t, l)
}
