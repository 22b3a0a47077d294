package main

import (
	"fmt"
	"net/netip"

	"sendwrap/tests/lab"
)

// eachItsOwn is the name under which the table shows sendwrap beside its room when a process of it
// is started for each client.
const eachItsOwn = "a process each"

// room starts the instance as one process in which all clients wait.
func (l *bench) room(i *instance) *daemon {
	addr := l.freePort()
	d := l.daemon(addr, []string{i.program, "listen", "-f", i.conf, addr.String()})
	d.ours = true
	return d
}

// stubGreeting is what the stub says.
const stubGreeting = "220 stub "

// in returns the peer as it is in a room, with a client that must see says.
func (i *instance) in(room *daemon, says string) peer {
	return peer{name: ours, instance: i, at: room, says: says}
}

// called returns the peer under another name.
func (p peer) called(name string) peer {
	p.name = name
	return p
}

// limits are what the room's value may be beside the others'.
type limits []struct {
	peer  string
	times float64
}

// compared returns a row with all values, whose target, if there is one, is for the room's alone,
// and one more for each of the others that were measured with its ratio.
func (s series) compared(what, unit string, target float64, others limits) []row {
	first := s.row(what, unit)
	if target != 0 {
		first = first.within(target)
	}
	rows := []row{first}
	for _, o := range others {
		if _, ok := s[o.peer]; ok {
			rows = append(rows, row{What: what}.atMost(s, o.peer, o.times))
		}
	}
	return rows
}

// What a client that the room refuses may cost.
const (
	roomTarget       = 60   // µs of CPU
	postscreenTarget = 0.7  // times postscreen
	eachTarget       = 0.05 // times sendwrap as a process each
	xinetdTarget     = 2    // times xinetd, which says nothing and keeps no ledger
)

// atOnce is how many connect at a time: one, and a flood.
var atOnce = []int{1, 50}

// measureRoomRefused measures clients that the room refuses: early talkers, each with an address of
// its own, and one client that the ledger blocks.
func measureRoomRefused(l *bench) {
	peers := l.roomAndPostscreen("room-refused")
	peers = append(peers, peers[0].instance.peer(earlyReply).called(eachItsOwn))
	l.roomRefusals("spoke early", "PREGREET", peers, l.client, nil)
	l.roomBlocked()
}

// roomAndPostscreen starts a room and, where there is one, a postscreen, and returns them as peers
// for early talkers.
func (l *bench) roomAndPostscreen(name string, directives ...string) (peers []peer) {
	i := l.instance(name, append(directives, "mta "+l.program("stub"))...)
	room := l.room(i)
	peers = []peer{i.in(room, earlyReply)}
	if why := lab.NoPostfix(); why != "" {
		l.put(row{What: name + " with postscreen", Skipped: why})
		return peers
	}
	return append(peers, earlyAt(l.postscreen("postfix-"+name, "PREGREET")))
}

// earlyAt returns a postscreen as a peer for early talkers. It sends a first line of the greeting
// before the greeting is due, and its reply then, which is lost when it closes before that line is
// acknowledged: Nagle's algorithm holds the reply back.
func earlyAt(d *daemon) peer {
	teaser := "220-" + lab.HostName + " ESMTP Postfix\r\n"
	return peer{name: postscreen, at: d, says: teaser, then: "521 5.5.1 "}
}

// roomBlocked measures one client that the ledger blocks, beside postscreen with a list that names
// it, and an xinetd that has another connection of it.
func (l *bench) roomBlocked() {
	i := l.instance("room-blocked", "mta "+l.program("stub"))
	bad := l.client()
	must(i.command("block", bad.String(), "1h"))
	room := l.room(i)
	peers := []peer{i.in(room, blockedReply), i.peer(blockedReply).called(eachItsOwn)}
	if lab.NoPostfix() == "" {
		p := l.postscreen("postfix-denylist", "DENYLISTED",
			"postscreen_access_list = static:reject", "postscreen_denylist_action = drop")
		peers = append(peers, peer{name: postscreen, at: p, says: "521 5.3.2 "})
	}
	// By default xinetd logs nothing.
	for _, x := range []struct{ name, log, logs string }{
		{xinetd, "", ""},
		{xinetdLogging, "HOST", "xinetd FAIL:"},
	} {
		if lab.Find(xinetd) == "" {
			continue
		}
		d, held := l.fullXinetd(fmt.Sprintf("xinetd-log-%s", x.log), x.log, x.logs, bad)
		defer held.close()
		peers = append(peers, peer{name: x.name, at: d})
	}
	if lab.Find(xinetd) == "" {
		l.put(row{What: "the same with xinetd: blocked", Skipped: lab.Missing(xinetd)})
	}
	from := func() netip.Addr { return bad }
	l.roomRefusals("blocked", "BLOCKED", peers, from, limits{{xinetd, xinetdTarget}})
}

// roomRefusals lets clients that all get this verdict visit the peers in turns.
func (l *bench) roomRefusals(
	what, verdict string, peers []peer, from func() netip.Addr, more limits,
) {
	few := l.fewer(2)
	for _, together := range atOnce {
		got := must(takeTurns(few, peers, func(p peer) ([]burst, error) {
			r := load{atOnce: together, from: from, opening: slam}
			r.clients = 10 * max(few.conns, together)
			if p.at == nil {
				r.clients = max(few.conns, together) // takes twenty times as long
			}
			return few.flood(verdict, p, r)
		}))
		cpu, took := got.reduce(cpuEach), got.reduce(tookEach)
		kind := fmt.Sprintf("a client the room refuses: %s, %d at a time", what, together)
		rows := append(cpu.compared("CPU of "+kind, "µs", roomTarget, append(limits{
			{postscreen, postscreenTarget},
			{eachItsOwn, eachTarget},
		}, more...)), took.row("time of "+kind, "µs"))
		l.put(rows...)
	}
}
