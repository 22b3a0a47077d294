package main

import (
	"errors"
	"fmt"
	"net/netip"
)

// What a client may cost that the room refuses.
const (
	roomTarget       = 60   // µs of CPU
	postscreenTarget = 0.7  // times postscreen
	eachTarget       = 0.05 // times sendwrap as a process each
	xinetdTarget     = 2    // times xinetd, which says nothing and keeps no ledger
)

// atOnce is how many connect at a time: one, and a flood.
var atOnce = []int{1, 50}

// measureRoomRefused measures clients that the room refuses, who speak before
// the greeting or are blocked.
func measureRoomRefused(l *lab) ([]row, error) {
	early, err := l.roomEarly()
	if err != nil {
		return nil, err
	}
	blocked, err := l.roomBlocked()
	return append(early, blocked...), err
}

// roomEarly measures early talkers, each with an address of its own.
func (l *lab) roomEarly() ([]row, error) {
	peers, stop, err := l.roomAndPostscreen("room-refused")
	if err != nil {
		return nil, err
	}
	defer stop()
	peers = append(peers, peers[0].is.peer(earlyReply).called(eachItsOwn))
	rows, err := l.roomRefusals("spoke early", "PREGREET", peers, l.client, nil)
	if err != nil {
		return nil, err
	}
	return rows, stop()
}

// roomAndPostscreen starts a room and, where there is one, a postscreen, and
// returns them as peers for early talkers. stop ends them; more than once does
// no harm.
func (l *lab) roomAndPostscreen(name string, directives ...string) (peers []peer, stop func() error, err error) {
	i, err := l.instance(name, append(directives, "mta "+l.program("stub"))...)
	if err != nil {
		return nil, nil, err
	}
	room, err := l.room(i)
	if err != nil {
		return nil, nil, err
	}
	us := i.in(room, earlyReply)
	if l.lackOfPostfix() != "" {
		return []peer{us}, room.stop, nil
	}
	p, err := l.postscreen("postfix-"+name, "PREGREET")
	if err != nil {
		return nil, nil, errors.Join(err, room.stop())
	}
	return []peer{us, earlyAt(p)}, func() error { return errors.Join(p.stop(), room.stop()) }, nil
}

// earlyReply is what an early talker hears from us.
const earlyReply = "554 5.5.1 "

// earlyAt returns a postscreen as a peer for early talkers. It sends a first
// line of the greeting before the greeting is due, and its reply then, which is lost when it
// closes before that line is acknowledged: Nagle's algorithm holds the reply back.
func earlyAt(d *daemon) peer {
	return peer{name: postscreen, at: d, says: "220-" + hostName + " ESMTP Postfix\r\n", then: "521 5.5.1 "}
}

// roomBlocked measures one client that the ledger blocks, beside postscreen with
// a list that names it, and an xinetd that has another connection of it.
func (l *lab) roomBlocked() ([]row, error) {
	i, err := l.instance("room-blocked", "mta "+l.program("stub"))
	if err != nil {
		return nil, err
	}
	bad := l.client()
	if _, err := i.command("block", bad.String(), "1h"); err != nil {
		return nil, err
	}
	room, err := l.room(i)
	if err != nil {
		return nil, err
	}
	defer room.stop()
	const reply = "421 4.7.1 "
	peers := []peer{i.in(room, reply), i.peer(reply).called(eachItsOwn)}
	if l.lackOfPostfix() == "" {
		p, err := l.postscreen("postfix-denylist", "DENYLISTED",
			"postscreen_access_list = static:reject", "postscreen_denylist_action = drop")
		if err != nil {
			return nil, err
		}
		defer p.stop()
		peers = append(peers, peer{name: postscreen, at: p, says: "521 5.3.2 "})
	}
	// What xinetd logs by default is nothing.
	for _, x := range []struct{ name, log, logs string }{
		{xinetd, "", ""},
		{xinetdLogging, "HOST", "xinetd FAIL:"},
	} {
		if find(xinetd) == "" || x.logs != "" && l.log == nil {
			continue
		}
		d, held, err := l.fullXinetd(fmt.Sprintf("xinetd-log-%s", x.log), x.log, x.logs, bad)
		if err != nil {
			return nil, err
		}
		defer d.stop()
		defer held.close()
		peers = append(peers, peer{name: x.name, at: d})
	}
	rows, err := l.roomRefusals("blocked", "BLOCKED", peers, func() netip.Addr { return bad },
		limits{{xinetd, xinetdTarget}})
	if err != nil {
		return nil, err
	}
	if find(xinetd) == "" {
		rows = append(rows, row{What: "the same with xinetd: blocked", Skipped: "no xinetd; tests/setup.sh unpacks it"})
	}
	return rows, room.stop()
}

// roomRefusals lets clients who all get this verdict visit the peers in turns.
func (l *lab) roomRefusals(what, verdict string, peers []peer, from func() netip.Addr, more limits) ([]row, error) {
	few := l.fewer(2)
	var rows []row
	for _, together := range atOnce {
		got, err := takeTurns(few.rounds, few.slices, peers, func(p peer) ([]burst, error) {
			r := rush{clients: 10 * max(few.conns, together), atOnce: together, from: from, opening: slam}
			if p.at == nil {
				r.clients = max(few.conns, together) // takes twenty times as long
			}
			var b burst
			err := p.reaching(verdict, r.clients, func() (err error) {
				b, err = few.flood(p, r)
				return err
			})
			return []burst{b}, err
		})
		if err != nil {
			return nil, err
		}
		cpu, took := got.reduce(cpuEach), got.reduce(tookEach)
		kind := fmt.Sprintf("a client the room refuses: %s, %d at a time", what, together)
		rows = append(rows, cpu.compared("CPU of "+kind, "µs", roomTarget, append(limits{
			{postscreen, postscreenTarget},
			{eachItsOwn, eachTarget},
		}, more...))...)
		rows = append(rows, took.compared("time of "+kind, "µs", 0, nil)...)
	}
	if why := l.lackOfPostfix(); why != "" {
		rows = append(rows, row{What: "the same with postscreen: " + what, Skipped: why})
	}
	return rows, nil
}
