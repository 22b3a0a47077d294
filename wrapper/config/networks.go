package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
)

func (l *loader) allow(w words, at rule.Source) { l.access(rule.Allow, w, at) }
func (l *loader) deny(w words, at rule.Source)  { l.access(rule.Deny, w, at) }

// access takes the right networks and names of a line even if others are wrong. For a wrong one on
// an allow line it allows all that the word can mean; if that is unclear, refusals become lenient.
func (l *loader) access(a rule.Access, w words, at rule.Source) {
	directive := -1 // a wrong deny line refuses too little, which is lenient
	if a == rule.Allow {
		directive = l.index(a.String())
	}
	found := false
	for w.next() {
		found = true
		network, name, err := allowlist.Parse(w.word)
		if w.word == observe {
			err = prefixError(a.String(), notAlone())
		}
		switch {
		case err != nil:
			l.wrongAccess(a, w.word, at, err, directive)
		case name != "":
			if err = l.into.SetNameAccess(name, a, at); err != nil {
				l.errors.add(at, withAllowed(err, name))
			}
		default:
			if err = l.into.SetAccess(network, a, at); err != nil {
				l.errors.add(at, withAllowed(err, network.String()))
			}
		}
	}
	if w.err == nil && !found {
		w.err = newError("write "+a.String()+" NETWORK|NAME...", "%s without a network or name", a)
	}
	if w.err != nil {
		l.reject(at, w.err, directive, nil)
	}
}

// wrongAccess notes the error, and what is allowed until the word is corrected.
func (l *loader) wrongAccess(
	a rule.Access, word string, at rule.Source, err error, directive int,
) {
	var networks []netip.Prefix
	name := ""
	if a == rule.Allow {
		networks, name = allowlist.Guess(word), allowlist.GuessName(word)
	}
	if networks == nil && name == "" {
		l.reject(at, err, directive, nil)
		return
	}
	var meant []string
	for _, network := range networks {
		_ = l.into.SetAccess(network, a, at) // on error it is allowed, too
		meant = append(meant, network.String())
	}
	if meant == nil {
		_ = l.into.SetNameAccess(name, a, at)
		meant = []string{name}
	}
	l.errors.add(at, withAllowed(err, meant...))
}

// withAllowed adds to an error that these are allowed until the line is corrected.
func withAllowed(err error, all ...string) error {
	e := *fromAllowlist(err)
	e.InEffect = rule.Allow.String() + " " + strings.Join(all, " ")
	return &e
}

// clientKeys are the names of clientLimits.
var clientKeys = []string{"greet_delay", "client_rate", "client_conns", "bad_rcpts",
	"bad_rcpts_percent", "bad_rcpts_total", "max_rcpts", "max_resets", "bad_rcpt_delay", "dnsbl"}

// nameKeys is how many of them, from the first, a line for a name can have. The others are the
// guard's, which does not know a client's name.
const nameKeys = 3

// clientLimits are the limits of a client line. They have the bounds of the directives of the same
// names.
var clientLimits = [...]clientLimit{
	{key: rule.GreetDelay, longest: rule.MaxGreetDelay},
	{key: rule.ClientRate, mostPer: rule.MaxClientRate},
	{key: rule.ClientConns, most: rule.MaxClientConns},
	{key: rule.BadRcpts, most: maxBadRcpts},
	{key: rule.BadRcptsPercent, percent: true},
	{key: rule.BadRcptsTotal, mostPer: maxBadRcptsTotal},
	{key: rule.MaxRcpts, most: maxRcpts},
	{key: rule.MaxResets, most: maxResets},
	{key: rule.BadRcptDelay, longest: maxBadRcptDelay},
	{key: rule.DNSBL, onOff: true},
}

// clientLimit is a limit. The one bound that is set decides its type.
type clientLimit struct {
	key     rule.Key
	most    int           // of a count
	percent bool          // a count that is a percentage
	mostPer int           // of a rate
	longest time.Duration // of a time
	onOff   bool          // a count, 1 or 0
}

// set reads a value, and sets the limit even if the value is wrong. It is not a function in the
// table: l would then be allocated on the heap, for each line.
func (c *clientLimit) set(l *rule.Limits, value string) error {
	var n int
	var r rule.Rate
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
	case c.onOff:
		var on bool
		if err = setSwitch(&on, value); on {
			n = 1
		}
		l.SetCount(c.key, n)
	default:
		err = setCount(&n, value, 0, c.most)
		l.SetCount(c.key, n)
	}
	return err
}

// lenientLimit replaces a wrong value by the lenient one of the directive of that name, if it has
// one.
func (l *loader) lenientLimit(
	c *clientLimit, limits *rule.Limits, value string, err error,
) error {
	d, e := &l.table[l.index(c.key.String())], *fromAllowlist(err)
	if c.onOff { // the wrong value has set 0, which is off
		e.InEffect = d.Name + "=" + off
		return &e
	}
	if d.lenientIf == nil || d.lenientIf([]string{value}) {
		_ = c.set(limits, d.Lenient)
		e.InEffect = d.Name + "=" + d.Lenient
	} else {
		limits.Clear(c.key)
	}
	return &e
}

// client takes the limits of a network or name, and for a wrong one the lenient value of the
// directive of that name. If it is unclear which client or limit is meant, refusals become lenient.
func (l *loader) client(w words, at rule.Source) {
	if err := l.limits(w, at); err != nil {
		l.reject(at, err, l.index("client"), nil)
	}
}

func (l *loader) limits(w words, at rule.Source) error {
	if !w.next() {
		if w.err != nil {
			return w.err
		}
		return newError("write client NETWORK|NAME KEY=VALUE...",
			"client without a network or name")
	}
	network, name, err := allowlist.Parse(w.word)
	if err != nil && allowlist.MeansAll(w.word) {
		return newError("write one line for 0.0.0.0/0 and one for ::/0", "%s is not a network",
			quoted(w.word))
	}
	if err != nil {
		return err
	}
	var limits rule.Limits
	p := pairs{known: clientKeys}
	for w.next() {
		key, value, err := p.split(w.word)
		if err != nil {
			return err
		}
		i := slices.Index(clientKeys, key)
		if name != "" && i >= nameKeys {
			return newError("write it for the client's network", "%s is not for a name", key)
		}
		limit := &clientLimits[i]
		if err := limit.set(&limits, value); err != nil {
			l.errors.add(at, l.lenientLimit(limit, &limits, value, prefixError(key, err)))
		}
	}
	if w.err != nil {
		return w.err
	}
	switch {
	case p.given == 0 && name != "":
		p.known = p.known[:nameKeys]
		return newError("write "+p.list(), "no limits for %s", name)
	case p.given == 0:
		return newError("write "+p.list(), "no limits for %s", network)
	case name != "":
		return l.into.SetNameLimits(name, limits, at)
	}
	return l.into.SetLimits(network, limits, at)
}
