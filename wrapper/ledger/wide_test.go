package ledger

import (
	"math"
	"net/netip"
	"testing"
	"time"
)

// within is the arrival of a client in the n-th /64 of a /48, which is counted as well, with limits
// that have all been reached.
func within(wider string, n int) Arrival {
	b := netip.MustParsePrefix(wider).Addr().As16()
	b[6], b[7], b[15] = byte(n>>8), byte(n), 1
	addr := netip.AddrFrom16(b)
	network, _ := addr.Prefix(64)
	return Arrival{
		Client: netip.AddrPortFrom(addr, 25), Network: network, Wide: true,
		Limits: Limits{Serving: 1, Waiting: 1, Scarce: 60},
	}
}

const wideA, wideB = "2001:db8:a::/48", "2001:db8:b::/48"

// wants fails the test unless the wide network of the client has these sessions now.
func (a Arrival) wants(t *testing.T, tx *Tx, when string, want Wide) {
	t.Helper()
	if got := tx.Look(a).Wide; got != want {
		t.Errorf("%s: %+v; want %+v", when, got, want)
	}
	if err := audit(tx.l); err != nil {
		t.Errorf("%s: %v", when, err)
	}
}

// The sessions of a wide network are counted, of all networks in it, as long as they live; those
// with an MTA separately.
func TestSessionsOfAWideNetwork(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	var all []Session
	stranger := within(wideA, 99)
	mustAt(t, l, now, func(tx *Tx) {
		stranger.wants(t, tx, "before all", Wide{})
		for n := range 5 {
			s, _ := tx.Enter(within(wideA, n), aRoom())
			all = append(all, s)
			tx.checkpoint()
			tx.Enter(within(wideB, n), Self())
			tx.checkpoint()
		}
		uncounted := within(wideA, 7)
		uncounted.Wide = false
		tx.Enter(uncounted, Self())
		tx.checkpoint()
		stranger.wants(t, tx, "five wait", Wide{5, 0})
		tx.Serve(all[0])
		tx.Serve(all[0])
		tx.Serve(all[1])
		stranger.wants(t, tx, "two are served", Wide{5, 2})
		all[1], _ = tx.Transfer(all[1], Self())
		stranger.wants(t, tx, "one is handed", Wide{5, 2})
		tx.Leave(all[1])
		tx.Leave(all[1])
		tx.Leave(all[2])
		stranger.wants(t, tx, "one that was served has left, and one that waited", Wide{3, 1})
	})
	mustAt(t, l, now.After(10*time.Minute), func(tx *Tx) {
		tx.Totals()
		stranger.wants(t, tx, "those of a room wait on", Wide{3, 1})
		within(wideB, 99).wants(t, tx, "the others' MTAs could not say that they serve", Wide{5, 5})
	})
	again, _ := mustOpen(t, l.path, 4*MinClients)
	mustAt(t, again, now.After(10*time.Minute), func(tx *Tx) {
		stranger.wants(t, tx, "in a ledger of another size", Wide{3, 1})
		tx.FreeExcept(aRoom(), func(Session) bool { return false })
		stranger.wants(t, tx, "the room has none any more", Wide{})
		if wide := tx.l.findWide(wideKey(stranger.Client.Addr().As16())); wide >= 0 {
			t.Error("the count is still there")
		}
	})
	again.boot = bootN(3)
	mustAt(t, again, Moment{time.Second, now.Wall.Add(time.Hour)}, func(tx *Tx) {
		within(wideB, 99).wants(t, tx, "after a reboot", Wide{})
	})
}

// Dead sessions do not count, of a network and of the wide one, although no sweep is due yet.
func TestSessionsWithAnMTAThatDie(t *testing.T) {
	const many, others, places = 2 * fewSessions, 300, 440
	l, now := newLedger(t, MinClients), Now()
	c := start(t, "room", ledgerPath(t, l), "wait")
	c.line(t)
	p, err := Identify(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(a Arrival, p Process) {
		mustAt(t, l, now, func(tx *Tx) {
			s, _ := tx.Enter(a, p)
			tx.Serve(s)
		})
	}
	for n := range others {
		serve(from(hostN(n)), Self())
	}
	for n := range 3 {
		serve(within(wideA, n), p)
	}
	serve(within(wideA, 3), Self())
	client := from(hostN(others))
	for range many {
		serve(client, p)
	}
	serve(client, Self())
	check := func(when string, served int, wide Wide) {
		t.Helper()
		limits := Limits{Serving: places, Scarce: 60} // 60 to 80 % are taken
		later := now.After(time.Second)
		mustAt(t, l, later, func(tx *Tx) {
			client.Limits = limits
			if s := tx.Look(client); s.Served != served {
				t.Errorf("%s: %d served; want %d", when, s.Served, served)
			}
		})
		mustAt(t, l, later, func(tx *Tx) {
			a := within(wideA, 1)
			a.Limits = limits
			tx.state().sweepAt = 0 // however long the last sweep took
			if s := tx.Look(a); s.Wide != wide {
				t.Errorf("%s: %+v; want %+v", when, s.Wide, wide)
			}
		})
	}
	check("while all live", many+1, Wide{4, 4})
	_ = c.kill()
	check("when they have died", 1, Wide{1, 1})
	mustAudit(t, l)
}

// Wide networks are not checked without need: while places are not scarce, and for a client that
// is not counted so.
func TestSessionsOfAWideNetworkAreNoMatter(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) {
		for n := range 3 {
			s, _ := tx.Enter(within(wideA, 1), Self())
			if n > 0 {
				tx.Serve(s)
			}
			tx.checkpoint()
		}
		for _, tt := range []struct {
			what    string
			limits  Limits
			wide    bool
			served  int
			counted Wide
		}{
			{"all is scarce", Limits{Serving: 3, Waiting: 1, Scarce: 60}, true, 2, Wide{3, 2}},
			{"MTAs are", Limits{Serving: 3, Waiting: 100, Scarce: 60}, true, 2, Wide{3, 2}},
			{"it is not counted so", Limits{Serving: 3, Waiting: 1, Scarce: 60}, false, 2, Wide{}},
			{"places to wait are", Limits{Serving: 4, Waiting: 1, Scarce: 60}, true, 0, Wide{3, 2}},
			{"nothing is", Limits{Serving: 4, Waiting: 2, Scarce: 60}, true, 0, Wide{}},
			{"there is no limit", Limits{Scarce: 60}, true, 0, Wide{}},
			{"nobody asks", Limits{Serving: 1, Waiting: 1}, true, 0, Wide{}},
		} {
			a := within(wideA, 1)
			a.Limits, a.Wide = tt.limits, tt.wide
			if s := tx.Look(a); s.Served != tt.served || s.Wide != tt.counted {
				t.Errorf("%s: %d served, %+v; want %d, %+v", tt.what, s.Served, s.Wide, tt.served,
					tt.counted)
			}
		}
	})
}

// A count is no client: no report has it, and a block of the wide network is another record.
func TestSessionsOfAWideNetworkAreNoClient(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	network := netip.MustParsePrefix(wideA)
	var s Session
	mustAt(t, l, now, func(tx *Tx) {
		s, _ = tx.Enter(within(wideA, 1), Self())
		if n := tx.Totals(); n.Clients != 1 {
			t.Errorf("%d clients", n.Clients)
		}
	})
	for range 2 {
		mustAt(t, l, now, func(tx *Tx) { tx.Block(network, time.Hour, "test", Penalty{}) })
		if all, err := l.Blocks(now); err != nil || len(all) != 1 || all[0].Network != network {
			t.Errorf("blocks: %+v, %v", all, err)
		}
		if n, live, err := l.Report(now); err != nil || n.Clients != 2 || len(live) != 1 {
			t.Errorf("%d clients, %d sessions, %v", n.Clients, len(live), err)
		}
		mustAt(t, l, now, func(tx *Tx) {
			within(wideA, 2).wants(t, tx, "beside the block",
				Wide{1, 0})
		})
		if freed, err := l.Unblock(now, netip.MustParsePrefix("::/0")); err != nil ||
			len(freed) != 1 {
			t.Errorf("freed: %v, %v", freed, err)
		}
	}
	mustAt(t, l, now, func(tx *Tx) { tx.Leave(s) })
	mustAudit(t, l)
}

// What the file says of a wide network is corrected before it is compared with a limit.
func TestHonestWideCount(t *testing.T) {
	for what, damage := range map[string]func(w *client){
		"too high":  func(w *client) { w.sessions, w.first = math.MaxUint32, math.MaxUint32 },
		"too low":   func(w *client) { w.sessions, w.first = 1, 0 },
		"exchanged": func(w *client) { w.sessions, w.first = 2, 3 },
	} {
		for _, want := range []Wide{{3, 2}, {0, 0}} {
			l := newLedger(t, MinClients)
			must(t, l, func(tx *Tx) {
				for n := range want.Conns {
					s, _ := tx.Enter(within(wideA, n), Self())
					if n < want.Served {
						tx.Serve(s)
					}
					tx.checkpoint()
				}
				at := tx.l.findWide(wideKey(within(wideA, 0).Client.Addr().As16()))
				if at < 0 {
					s, _ := tx.Enter(within(wideA, 0), Self())
					at = tx.l.findWide(wideKey(within(wideA, 0).Client.Addr().As16()))
					tx.l.slot(tx.slotOf(s)).flags = 0
				}
				damage(tx.l.record(at))
				tx.state().sweepAt = 0
				tx.checkpoint()
				if got := tx.Look(within(wideA, 9)).Wide; got != want {
					t.Errorf("%s: %+v; want %+v", what, got, want)
				}
			})
		}
	}
}

// A ledger of an older version has no wide networks; its sessions go on.
func TestHonestOlderHasNoWideCount(t *testing.T) {
	l, _ := openOlder(t, older(t, 2), MinClients, olderBoot(2))
	mustAt(t, l, olderNow().After(time.Minute), func(tx *Tx) {
		within(wideA, 1).wants(t, tx, "carried over", Wide{})
		s, _ := tx.Enter(within(wideA, 1), Self())
		within(wideA, 1).wants(t, tx, "and then", Wide{1, 0})
		tx.Leave(s)
	})
}
