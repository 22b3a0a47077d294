package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// peer is a program that is measured, and what its client must see.
type peer struct {
	name   string
	file   string // what to run, if that is not argv[0]
	argv   []string
	env    []string  // in addition to what every program gets
	is     *instance // of sendwrap; nil for other programs
	at     *daemon   // where it listens; nil: it is started for each client
	says   string    // what the client receives begins so; "" = it receives nothing
	then   string    // what says usually, but not always, goes on with; "" = anything
	traced bool      // stops when it has been started, for a tracer
	slow   bool      // takes seconds for each: its clients of a round come all at once
}

// oneCPU is the peer with one of the Go runtime's settings: no more than one
// thread runs Go code, so that none is woken in vain. A super-server can set it.
func (p peer) oneCPU() peer {
	p.env = []string{"GOMAXPROCS=1"}
	p.name += " with " + p.env[0]
	return p
}

// sample is what one connection cost.
type sample struct {
	cpu    time.Duration // of the program: user and system
	answer time.Duration // from the client's connect to the first bytes or the close it sees
}

// meanCPU returns the mean CPU time in milliseconds. Not the median: what a
// program does now and then only (a collector's thread, say) is part of its cost.
func meanCPU(samples []sample) float64 {
	var sum time.Duration
	for _, s := range samples {
		sum += s.cpu
	}
	return ms(sum) / float64(len(samples))
}

// medianAnswer returns the median time to the answer in milliseconds. Not the
// mean: a wait for a CPU that others use is no part of it.
func medianAnswer(samples []sample) float64 {
	var answers []float64
	for _, s := range samples {
		answers = append(answers, ms(s.answer))
	}
	return median(answers)
}

// slam is what a slammer says at once.
const slam = "EHLO bot.example\r\n"

// visitor is a client whose program runs.
type visitor struct {
	peer   peer
	client *client
	child  child
	began  time.Time
}

// arrive lets a client connect and say opening, and starts the program for it.
func (l *bench) arrive(p peer, from netip.Addr, opening string) (visitor, error) {
	v := visitor{peer: p, began: time.Now()}
	var err error
	if v.client, err = dial(from, l.server.addr); err != nil {
		return v, err
	}
	if opening != "" {
		if err := v.client.write(opening); err != nil {
			return v, err
		}
	}
	conn, err := l.server.accept()
	if err != nil {
		return v, err
	}
	v.child, err = start(conn, p)
	return v, err
}

// stay waits until the program closes and ends.
func (v visitor) stay() (sample, error) {
	_, err := v.client.receive()
	s := sample{answer: time.Since(v.began)}
	if err == nil {
		var said string
		if said, err = v.client.rest(); err == nil && !v.peer.saidRight(said) {
			err = fmt.Errorf("the client received %q, want %q", said, v.peer.says)
		}
	}
	v.client.close()
	if err == nil {
		s.cpu, err = v.child.wait()
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", v.peer.name, err)
	}
	return s, err
}

func (p peer) saidRight(said string) bool {
	rest, begins := strings.CutPrefix(said, p.says)
	return begins && (said == "") == (p.says == "") && (rest == "" || strings.HasPrefix(rest, p.then))
}

// visits lets n clients, so many of them together, each from an address that
// from gives, visit p, which is started for each.
func (l *bench) visits(p peer, n, together int, from func() netip.Addr, opening string) ([]sample, error) {
	var samples []sample
	for len(samples) < n {
		var here []visitor
		for range together {
			v, err := l.arrive(p, from(), opening)
			if err != nil {
				return nil, err
			}
			here = append(here, v)
		}
		for _, v := range here {
			s, err := v.stay()
			if err != nil {
				return nil, err
			}
			samples = append(samples, s)
		}
	}
	return samples, nil
}

// compare lets clients visit all peers in turns. Those that are sendwrap must
// reach this verdict about each of their clients.
func (l *bench) compare(peers []peer, verdict string, from func() netip.Addr, opening string) (turns[sample], error) {
	return takeTurns(l, peers, func(p peer) (samples []sample, err error) {
		n, together := l.conns, 1
		if p.slow {
			n *= 5 // its only turn in the round
			together = n
		}
		err = p.reaching(verdict, n, func() (err error) {
			samples, err = l.visits(p, n, together, from, opening)
			return err
		})
		return samples, err
	})
}

// reaching calls run and sees to it that sendwrap, if the peer is one, has
// reached this verdict n times meanwhile, and that another daemon has logged n
// times what it logs.
func (p peer) reaching(verdict string, n int, run func() error) error {
	switch {
	case p.is != nil:
		return p.is.reaching(map[string]int{verdict: n}, run)
	case p.at != nil && p.at.logs != "":
		return p.at.log.grows(p.at.logs, n, run)
	}
	return run()
}
