// Makes ledger-v4.gz, a ledger as the last commit that wrote version 4 (83a90e2) left it; see
// README.
package main

import (
	"compress/gzip"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"sendwrap/wrapper/ledger"
)

var (
	boot  = ledger.Boot{'v', '4'}
	now   = ledger.Moment{Boot: 100 * time.Hour, Wall: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	three = ledger.Penalty{Strikes: 3, Within: 10 * time.Minute, For: time.Hour, Max: 24 * time.Hour}

	alone = ledger.Process{PID: 4_100_001, Start: 0x5151515151515151} // the test puts itself in their place
	room  = ledger.Process{PID: 4_100_002, Start: 0x5252525252525252, Shared: true}
)

func main() {
	dir, err := os.MkdirTemp("", "ledger")
	check(err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ledger")
	l, notes, err := ledger.Open(path, ledger.MinClients, boot)
	check(err)
	if len(notes) > 0 {
		log.Fatal(notes)
	}
	do := func(work func(t *ledger.Tx)) { check(l.Do(now, work)) }

	for n := range 300 {
		do(func(t *ledger.Tx) { t.Remember(host(10, 1, byte(n>>8), byte(n)), 24*time.Hour) })
	}
	for range 2 { // the second is twice as long
		for range 3 {
			do(func(t *ledger.Tx) { t.Strike(host(192, 0, 2, 3), "pregreet", 1, three) })
		}
		now = now.After(90 * time.Minute)
	}
	do(func(t *ledger.Tx) {
		t.Strike(host(192, 0, 2, 2), "pregreet", 1, three)
		t.Strike(host(192, 0, 2, 2), "fail2ban", 1, three)
		t.BlockByHand(netip.MustParsePrefix("198.51.100.0/24"), ledger.MaxBlock, "admin", three)
		t.Block(netip.MustParsePrefix("2001:db8:1:2::/64"), 48*time.Hour, "spamtrap", three)
	})
	for range 4 {
		do(func(t *ledger.Tx) { t.BadRcpt(host(192, 0, 2, 2), time.Hour) })
	}
	for range 7 {
		do(func(t *ledger.Tx) {
			a := arrival(192, 0, 2, 4)
			s, _ := t.Enter(a, alone)
			t.Leave(s)
		})
	}
	do(func(t *ledger.Tx) {
		t.Remember(host(192, 0, 2, 7), 24*time.Hour)
		t.Delivered(host(192, 0, 2, 7))
		s, _ := t.Enter(arrival(192, 0, 2, 8), alone)
		t.HungUp(host(192, 0, 2, 8), 2*time.Second, time.Hour)
		t.Leave(s)
		t.GoodRcpts(host(192, 0, 2, 7), 2, time.Hour)
	})
	do(func(t *ledger.Tx) {
		t.Enter(arrival(192, 0, 2, 5), alone)
		s, _ := t.Enter(arrival(192, 0, 2, 5), alone)
		t.Serve(s)
		t.Enter(arrival(192, 0, 2, 6), room)
	})
	for n := range ledger.Verdicts {
		for range n {
			do(func(t *ledger.Tx) { t.Count(n) })
		}
		l.CountUnlocked(n)
	}
	for range 3 {
		l.CountIdle()
	}
	for range 2 {
		l.CountFailOpen(ledger.ErrCrowded)
	}
	do(func(t *ledger.Tx) {
		t.KeepLookup(host(192, 0, 2, 7).Addr(), 44, []byte("clean"), 12*time.Hour)
		t.CountList("bl.example", ledger.Listed, 0)
		a := arrival(192, 0, 2, 9)
		a.WideLimits = &[ledger.MaxWide]ledger.WideLimits{{
			Network: netip.MustParsePrefix("192.0.2.0/24"), Rate: 10, Per: time.Hour}}
		s, _ := t.Enter(a, alone)
		t.Leave(s)
	})
	do(func(t *ledger.Tx) {
		t.Spoke(1300 * time.Millisecond)
		t.Left(31 * time.Second)
	})
	// As it is when a process is killed in the midst of this: the next has to undo it.
	do(func(t *ledger.Tx) {
		t.Block(host(192, 0, 2, 3), time.Second, "undone", three)
		t.Strike(host(192, 0, 2, 2), "undone", 1, three)
		t.Enter(arrival(192, 0, 2, 4), alone)
		t.Count(0)
		t.Left(31 * time.Second)
		image, err := os.ReadFile(path)
		check(err)
		z, err := gzip.NewWriterLevel(os.Stdout, gzip.BestCompression)
		check(err)
		_, err = z.Write(image)
		check(err)
		check(z.Close())
	})
}

func host(a, b, c, d byte) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, d}), 32)
}

func arrival(a, b, c, d byte) ledger.Arrival {
	n := host(a, b, c, d)
	return ledger.Arrival{Client: netip.AddrPortFrom(n.Addr(), 25), Network: n, Limits: ledger.Limits{Rate: 10, Per: time.Hour}}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
