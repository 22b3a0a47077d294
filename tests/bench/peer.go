package main

import (
	"net/netip"
	"strings"
	"time"
)

// peer is a program that is measured, and what its client must see.
type peer struct {
	name     string
	file     string // what to run, if that is not argv[0]
	argv     []string
	env      []string  // in addition to what every program gets
	instance *instance // of sendwrap; nil for other programs
	at       *daemon   // where it listens; nil: it is started for each client
	says     string    // what the client receives begins so; "" = it receives nothing
	then     string    // what says usually, but not always, goes on with; "" = anything
	traced   bool      // stops when it has been started, for a tracer
	becomes  string    // the MTA with which counting ends; "" = none: with the process
	slow     bool      // takes seconds for each: its clients of a round come all at once
}

// sample is what one connection cost.
type sample struct {
	cpu    time.Duration // of the program: user and system
	answer time.Duration // from the client's connect to the first bytes or the close it sees
}

// meanCPU returns the mean CPU time in milliseconds. Not the median: the program's occasional work
// (a collector's thread, say) is part of its cost.
func meanCPU(samples []sample) float64 {
	var sum time.Duration
	for _, s := range samples {
		sum += s.cpu
	}
	return ms(sum) / float64(len(samples))
}

// medianAnswer returns the median time to the answer in milliseconds. Not the mean: a wait for a
// CPU that others use is no part of it.
func medianAnswer(samples []sample) float64 {
	var answers []float64
	for _, s := range samples {
		answers = append(answers, ms(s.answer))
	}
	return median(answers)
}

// slam is what a slammer says at once.
const slam = "EHLO bot.example\r\n"

func (p peer) saidRight(said string) bool {
	rest, begins := strings.CutPrefix(said, p.says)
	if p.says == "" {
		return said == ""
	}
	return begins && (rest == "" || strings.HasPrefix(rest, p.then))
}

// compare lets clients visit all peers in turns. Those that are sendwrap must reach this verdict
// about each of their clients.
func (l *bench) compare(
	peers []peer, verdict string, from func() netip.Addr, opening string,
) turns[sample] {
	return must(takeTurns(l, peers, func(p peer) ([]sample, error) {
		r := load{clients: l.conns, atOnce: 1, from: from, opening: opening}
		if p.slow {
			r.clients *= 5 // its only turn in the round
			r.atOnce = r.clients
		}
		return reaching(p, verdict, r.clients, func() ([]sample, error) { return l.visits(p, r) })
	}))
}

// reaching calls run and checks that sendwrap, if the peer is one, has reached this verdict n times
// meanwhile, and that another daemon has logged its word n times.
func reaching[T any](p peer, verdict string, n int, run func() (T, error)) (got T, err error) {
	call := func() (err error) {
		got, err = run()
		return err
	}
	switch {
	case p.instance != nil:
		err = p.instance.reaching(map[string]int{verdict: n}, call)
	case p.at != nil && p.at.logs != "":
		err = p.at.log.grows(p.at.logs, n, call)
	default:
		err = call()
	}
	return got, err
}
