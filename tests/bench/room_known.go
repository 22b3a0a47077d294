package main

import (
	"fmt"
	"net/netip"
)

// knownTarget is how long a known client may wait for its greeting, in ms, the
// MTA's start included.
const knownTarget = 50

// stubGreeting is what the stub says.
const stubGreeting = "220 stub "

// measureRoomKnown measures how soon a client is greeted that has waited
// before, while others wait.
func measureRoomKnown(l *lab) ([]row, error) {
	counts := []int{0, 100, 1000, 10_000}
	if l.quick {
		counts = counts[:3]
	}
	known := l.client()
	i, err := l.instance("room-known", "mta "+l.program("stub"), "max_waiting 20000",
		"greet_delay 290s stress=290s", "client "+known.String()+" greet_delay=100ms")
	if err != nil {
		return nil, err
	}
	d, err := l.room(i)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	p := i.in(d, stubGreeting)
	r := rush{clients: 1, atOnce: 1, from: func() netip.Addr { return known }}
	if err := p.reaching("PASS", 1, func() error { return r.visit(p) }); err != nil {
		return nil, fmt.Errorf("the first time: %w", err)
	}
	h := house{left: "HANGUP", waiting: func() (int, error) {
		s, err := i.status()
		return s.Sessions.Waiting, err
	}}
	var rows []row
	var here []*client
	for _, n := range counts {
		if here, err = l.fill(h, d, here, n); err != nil {
			return nil, err
		}
		visits := max(50, 20*l.rounds)
		var answers []sample
		err := p.reaching("KNOWN", visits, func() (err error) {
			answers, err = p.greetings(visits, r.from)
			return err
		})
		if err != nil {
			return nil, err
		}
		what := fmt.Sprintf("greeting of a known client, while %d others wait in the room", n)
		rows = append(rows, row{What: what, Unit: "ms", Values: []value{{ours, medianAnswer(answers)}}}.within(knownTarget))
	}
	if err := l.empty(h, here); err != nil {
		return nil, err
	}
	return rows, d.stop()
}
