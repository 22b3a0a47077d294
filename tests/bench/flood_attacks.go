package main

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const theRoom = "the room"

// sendwrap's two doors are in all sieges, postscreen's in those that attack something that it has.
var (
	ownDoors = []string{eachItsOwn, theRoom}
	allDoors = []string{eachItsOwn, theRoom, postscreen}
)

// bounded is the limit of connections of an attacker that comes again and again.
const bounded = 2_000_000

// slamming is the attack of a swarm that speaks at once, and comes again when it is refused.
func slamming(size int, six bool, from func(n int) netip.Addr) func(*bench, door) under {
	return func(l *bench, d door) under {
		s := &swarm{to: d.four, from: from, says: slam, size: size, most: bounded}
		if six {
			s.to = d.six
		}
		return s.start().underWay(s.turnsOver)
	}
}

// underWay waits until the attack is under way. If that fails, the attack is over.
func (s *swarm) underWay(wait func() error) under {
	if err := wait(); err != nil {
		check(errors.Join(err, s.stop()))
	}
	u := under{who: "connections at a time", meant: s.size, stop: s.stop}
	u.number = func() int { return int(s.here.Load()) }
	u.done = func() int { return int(s.ended.Load()) }
	if s.says != "" {
		u.unit = "of them"
	}
	if s.stays {
		u.who, u.number = "sessions held", func() int { return int(s.greeted.Load()) }
	}
	return u
}

// measureFloodBlocked: one address that is blocked already.
func measureFloodBlocked(l *bench) {
	bad := netip.MustParseAddr("198.18.0.9")
	for _, size := range []int{100, 500} {
		come := slamming(size, false, func(int) netip.Addr { return bad })
		l.besiege(fmt.Sprintf("blocked-%d", size), siege{
			what:  fmt.Sprintf("one blocked address slams, %d at a time", size),
			doors: allDoors,
			postfix: []string{
				fmt.Sprintf("postscreen_access_list = cidr:{{%v reject}}", bad),
				"postscreen_denylist_action = drop",
			},
			begin: func(l *bench, d door) under {
				if d.instance != nil {
					must(d.instance.command("block", bad.String(), "1h"))
				}
				return come(l, d)
			},
		})
	}
}

// measureFloodNetworks: each connection comes from another network, as a botnet's.
func measureFloodNetworks(l *bench) {
	l.besiege("networks", siege{
		what:  "500 networks slam at a time, and others after them",
		doors: allDoors,
		begin: slamming(500, false, func(n int) netip.Addr {
			return netip.AddrFrom4([4]byte{198, 18 + byte(n>>16)&1, byte(n >> 8), byte(n)})
		}),
	})
}

// in48 returns an address of a /64 of the attacker's /48.
func in48(network int) netip.Addr {
	a := netip.MustParseAddr("2001:db8:bad::1").As16()
	a[6], a[7] = byte(network>>8), byte(network)
	return netip.AddrFrom16(a)
}

// quietNetworks are the /64s from which a host comes that waits quietly. Each has fewer connections
// than client_conns.
const quietNetworks = 150

// measureFloodQuiet: clients that do nothing wrong, but there are many of them.
func measureFloodQuiet(l *bench) {
	from := func(n int) netip.Addr { return in48(n % quietNetworks) }
	places, queued := 1000, 7000
	if l.quick {
		queued /= 10
	}
	// All places for waiting clients are taken, for as long as known clients come.
	l.besiege("quiet", siege{
		what: fmt.Sprintf("%d quiet connections from %d /64s of one /48 wait",
			places, quietNetworks),
		doors: []string{eachItsOwn}, newcomers: true,
		delay: time.Minute, conf: []string{waitsFor(knownFrom), waitsFor(newFrom)},
		begin: func(l *bench, d door) under {
			n := places + places/10 // some are refused: no place is left
			s := (&swarm{to: d.six, from: from, size: n, most: n}).start()
			u := s.underWay(func() error {
				return errors.Join(s.settles(0), d.waitingSettles())
			})
			u.meant = places
			return u
		},
	})
	// All have waited, and want an MTA each.
	l.besiege("queue", siege{
		what: fmt.Sprintf("%d quiet connections from %d /64s of one /48 have waited",
			queued, quietNetworks),
		doors: []string{theRoom, postscreen}, newcomers: true,
		begin: func(l *bench, d door) under {
			s := (&swarm{to: d.six, from: from, size: queued, most: queued}).start()
			return s.underWay(func() error {
				err := s.settles(0)
				time.Sleep(floodDelay + floodDelay/4)
				return err
			})
		},
	})
}

// waitsFor limits the wait of a client's network to that of other sieges.
func waitsFor(client netip.Addr) string {
	return fmt.Sprintf("client %v greet_delay=%v", netip.PrefixFrom(client, 24).Masked(),
		floodDelay)
}

// waitingSettles waits until the number of waiting clients has stopped growing.
func (d door) waitingSettles() error {
	last, since := -1, time.Now()
	return await("as many wait as will", func() (bool, error) {
		time.Sleep(200 * time.Millisecond)
		n, err := d.instance.waiting()
		if n != last || err != nil { // the ledger may be crowded for a while yet
			last, since = n, time.Now()
		}
		return time.Since(since) > time.Second, nil
	})
}

// measureFloodIdle: sessions that say nothing, as many as there may be.
func measureFloodIdle(l *bench) {
	const networks, sessions = 6, 50
	l.besiege("idle", siege{
		what:  fmt.Sprintf("%d idle sessions of %d networks", networks*sessions, networks),
		doors: allDoors, newcomers: true,
		begin: func(l *bench, d door) under {
			s := &swarm{to: d.six, size: networks * sessions, most: bounded, stays: true}
			// Nor do the networks share a /48.
			s.from = func(n int) netip.Addr {
				a := in48(0).As16()
				a[5] = byte(n % networks)
				return netip.AddrFrom16(a)
			}
			s.start()
			return s.underWay(func() error { return s.settles(floodDelay + time.Second) })
		},
	})
}

// measureFloodBlocks: networks of which each speaks early three times. Sendwrap has room for 10,000
// blocks: some go, while others begin.
func measureFloodBlocks(l *bench) {
	const strikes, before, atOnce = 3, 10_500, 100
	first := 0
	from := func(n int) netip.Addr { return in48(first + n/strikes) }
	l.besiege("blocks", siege{
		what:  "10,500 networks of one /48 have earned blocks, and others do",
		doors: allDoors, newcomers: true,
		begin: func(l *bench, d door) under {
			first = 0
			if d.instance != nil {
				// Most of them in a room on the same ledger, where that takes a second.
				room := l.roomDoor(d.instance)
				s := &swarm{to: room.six, from: from, says: slam, size: atOnce}
				s.most = strikes * before
				s.start()
				err := await("networks earn blocks", func() (bool, error) {
					return int(s.ended.Load()) == s.most, s.failed()
				})
				check(errors.Join(err, s.stop(), room.at.stop()))
				first = before
			}
			u := slamming(atOnce, true, from)(l, d)
			blocked := func() int { return first + u.done()/strikes }
			u.notes = func() string { return fmt.Sprintf("%d networks up to then", blocked()) }
			return u
		},
	})
}

// measureFloodReaders: a monitoring system that asks too often.
func measureFloodReaders(l *bench) {
	for _, r := range []struct {
		clients  int
		loops    int
		commands []string
	}{
		{65_536, 2, []string{"status"}},
		{1_048_576, 16, []string{"status", "blocks", "check"}},
	} {
		what := fmt.Sprintf("%d loops of status", r.loops)
		if len(r.commands) > 1 {
			what += fmt.Sprintf(", blocks and check, a ledger of %d clients", r.clients)
		}
		l.besiege(fmt.Sprintf("readers-%d", r.loops), siege{
			what:    what,
			doors:   ownDoors,
			clients: r.clients,
			begin: func(l *bench, d door) under {
				return reading(d.instance, r.loops, r.commands)
			},
		})
	}
}

// reading runs commands in loops.
func reading(i *instance, loops int, commands []string) under {
	quit := make(chan struct{})
	var runs atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, loops)
	for n := range loops {
		command := commands[n%len(commands)]
		var args []string
		if command == "check" {
			args = []string{knownFrom.String()}
		}
		all.Go(func() {
			for errs[n] == nil {
				select {
				case <-quit:
					return
				default:
				}
				_, errs[n] = i.command(command, args...)
				runs.Add(1)
			}
		})
	}
	u := under{who: "loops", meant: loops, unit: "commands"}
	u.number = func() int { return loops }
	u.done = func() int { return int(runs.Load()) }
	u.stop = func() error {
		close(quit)
		all.Wait()
		return errors.Join(errs...)
	}
	ran := func() (bool, error) { return u.done() >= loops, nil }
	if err := await("each loop has run", ran); err != nil {
		check(errors.Join(err, u.stop()))
	}
	return u
}
