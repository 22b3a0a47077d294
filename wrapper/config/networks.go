package config

import (
	"slices"
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

// clientKeys are the names of clientLimits.
var clientKeys = []string{"greet_delay", "client_rate", "client_conns", "bad_rcpts", "bad_rcpts_percent", "bad_rcpts_total",
	"max_rcpts", "max_resets", "bad_rcpt_delay"}

// clientLimits are what a client line can say, within the bounds of the directives of the
// same names.
var clientLimits = [...]clientLimit{
	{key: allowlist.GreetDelay, longest: MaxGreetDelay},
	{key: allowlist.ClientRate, mostPer: maxRate},
	{key: allowlist.ClientConns, most: maxConns},
	{key: allowlist.BadRcpts, most: maxBadRcpts},
	{key: allowlist.BadRcptsPercent, percent: true},
	{key: allowlist.BadRcptsTotal, mostPer: maxBadRcptsTotal},
	{key: allowlist.MaxRcpts, most: maxRcpts},
	{key: allowlist.MaxResets, most: maxResets},
	{key: allowlist.BadRcptDelay, longest: maxBadRcptDelay},
}

// clientLimit is a limit by the one bound that it has.
type clientLimit struct {
	key     allowlist.Key
	most    int           // of a count
	percent bool          // a count of its own kind
	mostPer int           // of a rate
	longest time.Duration // of a time
}

// say reads a value. It says it directly, since through a function in the table l would
// go to the heap, for each line.
func (c *clientLimit) say(l *allowlist.Limits, value string) error {
	var n int
	var r allowlist.Rate
	var d time.Duration
	var err error
	switch {
	case c.longest > 0:
		err = setDuration(&d, value, 0, c.longest)
		l.SetTime(c.key, d)
	case c.mostPer > 0:
		err = setRate(&r, value, c.mostPer)
		l.SetRate(c.key, r)
	case c.percent:
		err = setPercent(&n, value)
		l.SetCount(c.key, n)
	default:
		err = setCount(&n, value, 0, c.most)
		l.SetCount(c.key, n)
	}
	return err
}

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
	var limits allowlist.Limits
	p := pairs{known: clientKeys}
	for w.next() {
		key, value, err := p.split(w.word)
		if err != nil {
			return err
		}
		if err := clientLimits[slices.Index(clientKeys, key)].say(&limits, value); err != nil {
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
