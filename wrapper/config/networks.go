package config

import (
	"net/netip"
	"slices"
	"time"

	"sendwrap/allowlist"
)

func (l *loader) allow(w words, at allowlist.Source) { l.access(allowlist.Allow, w, at) }
func (l *loader) deny(w words, at allowlist.Source)  { l.access(allowlist.Deny, w, at) }

// access takes the networks that are right, whatever is wrong with others on the line. Of a wrong
// one that is to be allowed it takes all that can have been meant; if that cannot be told, somebody
// is in doubt.
func (l *loader) access(a allowlist.Access, w words, at allowlist.Source) {
	doubtful := -1
	if a == allowlist.Allow {
		doubtful = l.index(a.String())
	}
	named := false
	for w.next() {
		named = true
		network, err := allowlist.ParseNetwork(w.word)
		switch {
		case err == nil:
			if err = l.config.Networks.SetAccess(network, a, at); err != nil {
				l.errors.add(at, holding(err, network))
			}
		case a == allowlist.Allow && len(allowlist.Meant(w.word)) > 0:
			meant := allowlist.Meant(w.word)
			for _, network := range meant {
				_ = l.config.Networks.SetAccess(network, a, at) // allowed it is in any case
			}
			l.errors.add(at, holding(err, meant...))
		default:
			l.mistake(at, err, doubtful, nil)
		}
	}
	if w.err == nil && !named {
		w.err = wrong("write "+a.String()+" NETWORK...", "%s without a network", a)
	}
	if w.err != nil {
		l.mistake(at, w.err, doubtful, nil)
	}
}

// holding is an error after which these networks are allowed all the same.
func holding(err error, networks ...netip.Prefix) error {
	e := *fromAllowlist(err)
	e.Holds = allowlist.Allow.String()
	for _, network := range networks {
		e.Holds += " " + network.String()
	}
	return &e
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

// say reads a value; a wrong one says something, too. It says it directly, since through a function
// in the table l would go to the heap, for each line.
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

// limitInDoubt has a limit hold in doubt, whose value is wrong.
func (l *loader) limitInDoubt(
	c *clientLimit, limits *allowlist.Limits, value string, err error,
) error {
	d, e := &l.table[l.index(c.key.String())], *fromAllowlist(err)
	if d.onlyIf == nil || d.onlyIf([]string{value}) {
		_ = c.say(limits, d.Doubt)
		e.Holds = d.Name + "=" + d.Doubt
	} else {
		limits.Forget(c.key)
	}
	return &e
}

// client takes a network's own limits. Of a wrong one it takes what holds when the directive of
// that name is in doubt; if it cannot be told which network or limit is meant, somebody is.
func (l *loader) client(w words, at allowlist.Source) {
	if err := l.limits(w, at); err != nil {
		l.mistake(at, err, l.index("client"), nil)
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
		limit := &clientLimits[slices.Index(clientKeys, key)]
		if err := limit.say(&limits, value); err != nil {
			l.errors.add(at, l.limitInDoubt(limit, &limits, value, within(key, err)))
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
