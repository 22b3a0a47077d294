package main

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"sendwrap/tests/lab"
)

// knownTarget is how long a known client may wait for its greeting, in ms, the MTA's start
// included.
const knownTarget = 50

// inetd is the super-server that the room's start of an MTA is measured beside.
const inetd = "inetd"

// measureRoomKnown measures how soon a client that has waited before is greeted while others wait,
// and what these cost while nothing happens.
func measureRoomKnown(l *bench) {
	counts := []int{0, 100, 1000, 10_000}
	if l.quick {
		counts = counts[:3]
	}
	known := l.client()
	i := l.instance("room-known", "mta "+l.program("stub"), "max_waiting 20000",
		"greet_delay 290s stress=290s", "client "+known.String()+" greet_delay=100ms")
	d := l.room(i)
	p := i.in(d, stubGreeting)
	r := load{clients: 1, atOnce: 1, from: func() netip.Addr { return known }}
	must(l.flood("PASS", p, r))
	h := &crowd{bench: l, at: d, waiting: i.waiting}
	for _, n := range counts {
		h.fill(n)
		r.clients = max(50, 20*l.rounds)
		answers := must(reaching(p, "KNOWN", r.clients, func() ([]sample, error) {
			return l.visits(p, r)
		}))
		what := fmt.Sprintf("greeting of a known client, while %d others wait in the room", n)
		l.put(oursAlone(what, "ms", medianAnswer(answers)).within(knownTarget))
	}
	const while = 2 * time.Second
	_, before := d.usageNow()
	time.Sleep(while)
	_, after := d.usageNow()
	what := fmt.Sprintf("CPU of the room in %v, while %d wait and nothing happens",
		while, len(h.here))
	l.put(oursAlone(what, "ms", ms(after-before)))
}

// measureRoomSpawn measures how much later the MTA greets a client that need not wait if the room
// starts it instead of inetd.
func measureRoomSpawn(l *bench) {
	const what = "greeting of a client that the room lets pass at once"
	if lab.Find(inetd) == "" {
		l.put(row{What: what, Skipped: lab.Missing(inetd)})
		return
	}
	i := l.instance("room-spawn", "mta "+l.program("stub"), "allow "+l.network.String())
	room := l.room(i)
	bare := l.inetd(l.program("stub"))
	peers := []peer{i.in(room, stubGreeting), {name: inetd, at: bare, says: stubGreeting}}
	got := l.compare(peers, "ALLOWED", l.client, "")
	answer := got.reduce(medianAnswer)
	l.put(answer.row(what, "ms").against(answer, inetd),
		answer.minus(inetd).row("what of that the room adds to "+inetd, "ms"))
}

// inetd starts an inetd that starts a program for each client, as many as come.
func (l *bench) inetd(argv ...string) *daemon {
	addr := l.freePort()
	dir := must(os.MkdirTemp(l.dir, inetd))
	argv, _, err := lab.SuperServer(inetd, dir, []netip.AddrPort{addr}, argv...)
	check(err)
	return l.daemon(addr, argv)
}
