package config

import (
	"time"

	"sendwrap/allowlist"
)

func (l *loader) allow(w words, at allowlist.Source) { l.access(allowlist.Allow, w, at) }
func (l *loader) deny(w words, at allowlist.Source)  { l.access(allowlist.Deny, w, at) }

// access takes the networks that are right, whatever is wrong with others on the line.
func (l *loader) access(a allowlist.Access, w words, at allowlist.Source) {
	named := false
	for w.next() {
		named = true
		network, err := allowlist.ParseNetwork(w.word)
		if err == nil {
			err = l.config.Networks.SetAccess(network, a, at)
		}
		if err != nil {
			l.errors.add(at, err)
		}
	}
	if w.err == nil && !named {
		w.err = wrong("write "+a.String()+" NETWORK...", "%s without a network", a)
	}
	if w.err != nil {
		l.errors.add(at, w.err)
	}
}

var clientKeys = []string{"greet_delay", "client_rate", "client_conns"}

// client takes a network's own limits, all that the line names or none.
func (l *loader) client(w words, at allowlist.Source) {
	if err := l.limits(w, at); err != nil {
		l.errors.add(at, err)
	}
}

func (l *loader) limits(w words, at allowlist.Source) error {
	if !w.next() {
		if w.err != nil {
			return w.err
		}
		return wrong("write client NETWORK KEY=VALUE...", "client without a network")
	}
	network, err := allowlist.ParseNetwork(w.word)
	if err != nil && allowlist.MeansAll(w.word) {
		return wrong("write one line for 0.0.0.0/0 and one for ::/0", "%s is not a network", quoted(w.word))
	}
	if err != nil {
		return err
	}
	var delay time.Duration
	var rate allowlist.Rate
	var conns int
	var limits allowlist.Limits
	p := pairs{known: clientKeys}
	for w.next() {
		key, value, err := p.split(w.word)
		if err != nil {
			return err
		}
		switch key {
		case "greet_delay":
			limits.GreetDelay = &delay
			err = setDuration(&delay, value, 0, MaxGreetDelay)
		case "client_rate":
			limits.ClientRate = &rate
			err = setRate(&rate, value)
		case "client_conns":
			limits.ClientConns = &conns
			err = setCount(&conns, value, 0, maxConns)
		}
		if err != nil {
			return within(key, err)
		}
	}
	if w.err != nil {
		return w.err
	}
	if p.given == 0 {
		return wrong("write "+p.list(), "nothing said about %s", network)
	}
	return l.config.Networks.SetLimits(network, limits, at)
}
