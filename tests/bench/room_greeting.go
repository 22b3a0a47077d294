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

// measureRoomKnown measures how soon a client is greeted that has waited before, while others wait,
// and what these cost while nothing happens.
func measureRoomKnown(l *bench) error {
	counts := []int{0, 100, 1000, 10_000}
	if l.quick {
		counts = counts[:3]
	}
	known := l.client()
	i, err := l.instance("room-known", "mta "+l.program("stub"), "max_waiting 20000",
		"greet_delay 290s stress=290s", "client "+known.String()+" greet_delay=100ms")
	if err != nil {
		return err
	}
	d, err := l.room(i)
	if err != nil {
		return err
	}
	p := i.in(d, stubGreeting)
	r := rush{clients: 1, atOnce: 1, from: func() netip.Addr { return known }}
	if _, err := l.flood("PASS", p, r); err != nil {
		return fmt.Errorf("the first time: %w", err)
	}
	h := &crowd{bench: l, at: d, waiting: i.waiting}
	for _, n := range counts {
		if err := h.fill(n); err != nil {
			return err
		}
		r.clients = max(50, 20*l.rounds)
		answers, err := reaching(p, "KNOWN", r.clients, func() ([]sample, error) { return l.visits(p, r) })
		if err != nil {
			return err
		}
		what := fmt.Sprintf("greeting of a known client, while %d others wait in the room", n)
		l.put(oursAlone(what, "ms", medianAnswer(answers)).within(knownTarget))
	}
	const while = 2 * time.Second
	_, before, err := d.usageNow()
	if err != nil {
		return err
	}
	time.Sleep(while)
	_, after, err := d.usageNow()
	if err != nil {
		return err
	}
	what := fmt.Sprintf("CPU of the room in %v, while %d wait and nothing happens", while, len(h.here))
	l.put(oursAlone(what, "ms", ms(after-before)))
	return nil
}

// measureRoomSpawn measures how much later the MTA greets a client that need not wait because the
// room starts it and not inetd.
func measureRoomSpawn(l *bench) error {
	const what = "greeting of a client that the room lets pass at once"
	if lab.Find(inetd) == "" {
		l.put(row{What: what, Skipped: lab.Missing(inetd)})
		return nil
	}
	i, err := l.instance("room-spawn", "mta "+l.program("stub"), "allow "+l.network.String())
	if err != nil {
		return err
	}
	room, err := l.room(i)
	if err != nil {
		return err
	}
	bare, err := l.inetd(l.program("stub"))
	if err != nil {
		return err
	}
	peers := []peer{i.in(room, stubGreeting), {name: inetd, at: bare, says: stubGreeting}}
	got, err := l.compare(peers, "ALLOWED", l.client, "")
	if err != nil {
		return err
	}
	answer := got.reduce(medianAnswer)
	l.put(answer.row(what, "ms").against(answer, inetd),
		answer.minus(inetd).row("what of that the room adds to "+inetd, "ms"))
	return nil
}

// inetd starts an inetd that starts a program for each client, as many as come.
func (l *bench) inetd(argv ...string) (*daemon, error) {
	addr, err := l.freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(l.dir, inetd)
	if err != nil {
		return nil, err
	}
	argv, _, err = lab.SuperServer(inetd, dir, []netip.AddrPort{addr}, argv...)
	if err != nil {
		return nil, err
	}
	return l.daemon(addr, argv)
}
