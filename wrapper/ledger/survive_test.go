package ledger

import (
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"testing"
	"time"
)

// survive does every operation on the ledger at path, whatever is in it.
func survive(t *testing.T, path string) {
	t.Helper()
	l, _, err := Open(path, MinClients, ThisBoot())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	now := Now()
	for n := range 30 {
		host := hostN(n)
		mustAt(t, l, now, func(tx *Tx) { workAllRound(t, tx, from(host)) })
		mustAt(t, l, now, func(tx *Tx) { workAllRound(t, tx, within(wideA, n)) })
		mustAt(t, l, now, func(tx *Tx) { lookUpAllRound(t, tx, n) })
	}
	checkReports(t, l, now)
	// A client that the ledger has never seen is counted exactly.
	a := from(netip.MustParseAddr("192.0.2.1"))
	a.Limits.Conns = 1
	mustAt(t, l, now, func(tx *Tx) {
		for n := range 3 {
			if s := tx.Look(a); s.Conns != n {
				t.Errorf("%d sessions of a new client; want %d", s.Conns, n)
			}
			if _, ok := tx.Enter(a, Self()); !ok {
				if l.freeSlot() >= 0 {
					t.Error("no slot for a new client though there is one")
				}
				return // every slot is taken by what looks like this process
			}
			tx.checkpoint()
		}
	})
	// The next boot knows no session any more, and none of the errors of the last.
	l.boot = bootN(7)
	mustAt(t, l, Moment{10 * time.Second, now.Wall.Add(time.Minute)}, func(tx *Tx) {
		if n := tx.Totals(); n.Waiting+n.Serving != 0 {
			t.Errorf("sessions of the boot before: %d waiting, %d serving", n.Waiting, n.Serving)
		}
		if s := tx.Look(a); s.Conns != 0 {
			t.Errorf("sessions of the boot before: %d", s.Conns)
		}
	})
}

// workAllRound does each kind of work for one client.
func workAllRound(t *testing.T, tx *Tx, a Arrival) {
	host := a.Client.Addr()
	for _, limits := range []Limits{{}, {Serving: 1, Waiting: 1, Conns: 1, Rate: 1,
		Per: time.Second, Scarce: 1}, {Conns: math.MaxInt, Per: 24 * time.Hour, Rate: 9}} {
		a.Limits = limits
		s := tx.Look(a)
		if s.BlockLeft < 0 || s.BlockLeft > MaxBlock || s.Blocked != (s.BlockLeft > 0) ||
			s.Arrivals < 0 || s.Conns < 0 ||
			s.Strikes < 0 || s.Strikes > strikesKept || s.Waiting < 0 || s.Serving < 0 {
			t.Errorf("%v stands as nobody can: %+v", host, s)
		}
		session, ok := tx.Enter(a, Self())
		tx.checkpoint()
		if ok {
			tx.Serve(session)
			tx.checkpoint()
			if session, ok = tx.Transfer(session, aRoom()); !ok {
				t.Error("a session just begun cannot be handed")
			}
			tx.checkpoint()
			tx.FreeExcept(aRoom(), func(s Session) bool { return s != session })
			tx.Leave(session)
			tx.checkpoint()
		}
		for _, p := range []Penalty{{}, threeStrikes,
			{Strikes: 1, Within: math.MaxInt64, For: 1, Max: math.MaxInt64}} {
			tx.Strike(a.Network, "early", 1+a.Client.Addr().BitLen()%7, p)
			tx.Forgive(a.Network, "early")
			if n, d := tx.Strike(a.Network, "x\x00 \xff", 1, p); n < 0 || n > strikesKept ||
				d < 0 || d > MaxBlock {
				t.Errorf("%v: %d strikes, blocked for %v", host, n, d)
			}
			tx.checkpoint()
			before, _ := tx.BlockOf(host, a.Network)
			if d := tx.Block(a.Network, 0, "x", p); d < 0 || d > MaxBlock ||
				before.Network == a.Network && d < before.Left {
				t.Errorf("%v: blocked for %v; before for %v", host, d, before.Left)
			}
			tx.checkpoint()
			if b, ok := tx.BlockOf(host, a.Network); ok != (b.Left > 0) || b.Left > MaxBlock ||
				b.Age < 0 || ok && !b.Network.Contains(host) {
				t.Errorf("%v is blocked as nobody can be: %+v, %v", host, b, ok)
			}
		}
		tx.Remember(a.Network, time.Hour)
		tx.checkpoint()
		for _, per := range []time.Duration{math.MinInt64, 0, 1, time.Second, time.Hour,
			24 * time.Hour, math.MaxInt64} {
			if n := tx.BadRcpt(a.Network, per).Bad; n < 1 || n > (steps+1)*math.MaxUint8 {
				t.Errorf("%v: %d bad recipients within %v", host, n, per)
			}
			if n := tx.Rcpts(a.Network, max(per, 1)).Bad; n < 1 {
				t.Errorf("%v: %d bad recipients within %v, just after one", host, n, per)
			}
			tx.checkpoint()
		}
	}
	tx.CountFor(a.Network, Event{Verdict: 3, Arrived: true, Refused: true})
	tx.l.CountUnlockedFor(a.Network, Event{Verdict: 3, Refused: true}, Now())
	tx.Spoke(time.Second)
	tx.Left(time.Hour)
}

// lookUpAllRound does each kind of work for the lookup of client n, and for some lists.
func lookUpAllRound(t *testing.T, tx *Tx, n int) {
	host, zone := hostN(n), fmt.Sprint(n%5, ".example")
	if n%3 == 0 {
		zone = "good.example"
	}
	possible := func(found Lookup) {
		if len(found.Data) > LookupSize || found.Left < 0 || found.Left > longestLookup ||
			(found.Left > 0) != (found.State == Asked) || found.State > Asked {
			t.Errorf("%v was looked up as it cannot be: %+v", host, found)
		}
	}
	possible(tx.Lookup(host, of))
	possible(tx.l.PeekLookup(host, of))
	if !tx.ClaimLookup(host, of, nobody) && tx.Lookup(host, of).State == NotAsked {
		t.Errorf("nobody has asked about %v, and nobody may", host)
	}
	tx.DropLookup(host, of, nobody)
	tx.checkpoint()
	result := []byte(fmt.Sprint("result ", n))
	tx.KeepLookup(host, of, result, time.Hour)
	if got := tx.Lookup(host, of); got.State != Asked || string(got.Data) != string(result) ||
		got.Left != time.Hour {
		t.Errorf("kept as %+v; want %q", got, result)
	}
	tx.checkpoint()
	for _, work := range []func(){
		func() { tx.ClaimListTest(zone, time.Hour) },
		func() { tx.CountList(zone, ListAnswer(n%7), 1+n%3) },
		func() { tx.MissListTest(zone, n%2 == 0) },
		func() { tx.DoubtList(zone) },
		func() { tx.RetestList(zone) },
		func() { tx.PassListTest(zone) },
		func() { tx.CountList(zone, ListFailed, 0) },
		func() { tx.SetListAside(zone, "x\x00 y", math.MaxInt64) },
	} {
		work()
		tx.checkpoint()
		if l := tx.List(zone); l.Aside < 0 || l.Aside > longestAside || l.Recent < 0 ||
			l.RecentListed < 0 || l.RecentListed > l.Recent || len(l.Why) > reasonSize {
			t.Errorf("%s behaves as no list can: %+v", zone, l)
		}
	}
}

// checkReports compares what administrators see with the file, after the sweep with which each
// report begins.
func checkReports(t *testing.T, l *Ledger, now Moment) {
	t.Helper()
	mustAt(t, l, now, func(tx *Tx) {
		n, live := tx.Totals(), tx.Sessions()
		marked := 0
		for _, word := range l.bitmap {
			marked += bits.OnesCount64(word)
		}
		if n.Waiting+n.Serving != marked || len(live) != marked {
			t.Errorf("%d waiting, %d serving, %d live; %d slots are in use", n.Waiting, n.Serving,
				len(live), marked)
		}
		for _, s := range live {
			if s.Process.PID <= 0 || s.Process.PID > maxPID {
				t.Errorf("a session of no process: %+v", s)
			}
			if s.Left < 0 || s.Left > longestWait || s.Serving && s.Left > 0 {
				t.Errorf("a session that waits as nobody can: %+v", s)
			}
		}
	})
	if kept, room, err := l.CountLookups(now); err != nil || kept < 30 || kept > room {
		t.Errorf("%d of %d lookups are kept, %v; want 30 or more", kept, room, err)
	}
	if _, err := l.Lists(now, []string{"good.example", "", "unknown.example"}); err != nil {
		t.Error(err)
	}
	blocks, err := l.Blocks(now)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if !b.Network.IsValid() || b.Left <= 0 || b.Left > MaxBlock {
			t.Errorf("a block that cannot be: %+v", b)
		}
	}
	err = l.Records(now, func(r *Record) {
		if !r.Network.IsValid() || r.Left < 0 || r.Left > MaxBlock || r.Seen < 0 ||
			r.Verdict < -1 || r.Verdict >= Verdicts {
			t.Errorf("a record that cannot be: %+v", r)
		}
	})
	if err != nil {
		t.Error(err)
	}
	checkBlocksSince(t, l)
	for _, most := range []int{math.MinInt, 0, math.MaxInt, 5} {
		dropped, err := l.Trim(now, most)
		if err != nil || most != 5 && len(dropped) > 0 {
			t.Errorf("trimmed to %d blocks: %d dropped, %v", most, len(dropped), err)
		}
		for _, b := range dropped {
			if !b.Network.IsValid() || b.Left <= 0 || b.Left > MaxBlock || b.Age < 0 {
				t.Errorf("a block that cannot be was dropped: %+v", b)
			}
		}
	}
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		if _, err := l.Unblock(now, netip.MustParsePrefix(all)); err != nil {
			t.Fatal(err)
		}
	}
	if blocks, err := l.Blocks(now); err != nil || len(blocks) > 0 {
		t.Errorf("after all were unblocked: %v, %+v", err, blocks)
	}
}

// checkBlocksSince asks for the blocks that have begun since valid, invalid and impossible numbers.
func checkBlocksSince(t *testing.T, l *Ledger) {
	t.Helper()
	networks, now, all := l.BlocksSince(0)
	if len(networks) > 0 || all {
		t.Errorf("since 0 have begun %v, %v", networks, all)
	}
	for _, since := range []uint64{1, now, now - 1, now - ringSize, now - ringSize - 1, now + 1,
		now + 1<<63, math.MaxUint64} {
		networks, again, all := l.BlocksSince(since)
		if since != 0 && again != now || len(networks) > 0 &&
			(all || now-since != uint64(len(networks))) || since != 0 && !all &&
			now-since > ringSize {
			t.Errorf("since %d, with the last %d, have begun %d networks, %v; now %d", since, now,
				len(networks), all, again)
		}
		for _, n := range networks {
			if !n.IsValid() || n != n.Masked() {
				t.Errorf("a block on a network that cannot be: %v", n)
			}
		}
	}
}
