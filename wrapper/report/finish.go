package report

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/policy"
)

// finish makes the report of the counts.
func (c *counter) finish() {
	r := c.r
	if r.From.IsZero() {
		r.From, r.Until = c.first, c.last
	}
	r.From, r.Until = r.From.In(r.Zone), r.Until.In(r.Zone)
	r.Verdicts = []VerdictFact{}
	for v := 1; v < decide.NumVerdicts; v++ {
		if f := c.verdicts[v]; f.Count > 0 {
			f.Verdict = word(uint8(v))
			r.Verdicts = append(r.Verdicts, f)
		}
	}
	c.finishClients()
	r.Blocks.Last = append([]Block{}, c.blocks...)
	for i := range r.Blocks.Last {
		r.Blocks.Last[i].At = r.Blocks.Last[i].At.In(r.Zone)
	}
	r.Changes = c.changes()
	c.finishHours()
	network := netip.Prefix.String
	r.Addresses = c.addresses.list(maxOffenders, clientName)
	r.Networks = c.networks.list(maxOffenders, network)
	r.Origins = []Count{}
	if c.origins != nil {
		r.Origins = c.byOrigin.list(maxOffenders, c.origins.name)
	}
	same := func(key string) string { return key }
	r.Kinds, r.Lists = c.kinds.list(maxListed, same), c.lists.list(maxListed, same)
	r.Conns, r.Rates = c.conns.list(maxListed, clientName), c.rates.list(maxListed, clientName)
	r.BadRcpts = c.badRcpts.list(maxListed, clientName)
	r.Sessions = []Count{}
	for i, n := range c.sessions {
		if n > 0 {
			r.Sessions = append(r.Sessions, Count{Key: lengthName(i), Count: n})
		}
	}
	r.Trouble.Open = c.open.list(maxListed, same)
	r.Trouble.Most, r.Newer = c.words.list(5, same), c.newer.list(maxListed, same)
	r.Delay = c.delays.fact()
	r.Waits = []Wait{}
	for _, w := range c.longest {
		if w.At = w.At.In(r.Zone); w.Turn > 0 || w.Seconds > r.Delay.Common {
			r.Waits = append(r.Waits, w)
		}
	}
	r.Advice = c.advice()
}

// clientName is a network that is one client: an address is written without its bits.
func clientName(n netip.Prefix) string {
	if n.IsSingleIP() {
		return n.Addr().String()
	}
	return n.String()
}

func (c *counter) finishClients() {
	r := c.r
	all := c.clients.mistaken()
	r.Mistaken, r.Mistakes, r.Forgotten = len(all), []Mistake{}, c.clients.forgotten
	for _, key := range all[:min(len(all), maxListed)] {
		r.Mistakes = append(r.Mistakes, c.clients.mistake(key, r.Zone))
	}
}

// changes compares the last 24 whole hours with the 24 before; nil if the log does not have these.
func (c *counter) changes() *Changes {
	until := c.r.Until.Unix() / 3600
	if c.first.IsZero() || c.first.Unix()/3600 > until-48 {
		return nil
	}
	at := func(hour int64) time.Time { return time.Unix(hour*3600, 0).In(c.r.Zone) }
	changes := &Changes{From: at(until - 24), Until: at(until), Verdicts: []Change{}}
	var last, before [decide.NumVerdicts]int
	for key, counts := range c.hours {
		for v, n := range counts {
			switch {
			case key >= until || key < until-48:
			case key >= until-24:
				last[v] += int(n)
			default:
				before[v] += int(n)
			}
		}
	}
	for v := range last {
		if last[v]+before[v] > 0 {
			changes.Verdicts = append(changes.Verdicts,
				Change{word(uint8(v)), last[v], before[v]})
		}
	}
	return changes
}

// maxRows is how many hours are listed; of a longer time, days are.
const maxRows = 49

func (c *counter) finishHours() {
	r := c.r
	r.Hours, r.HourLength = []Hour{}, 1
	if r.Until.Sub(r.From) > maxRows*time.Hour {
		r.HourLength = 24
	}
	rows := map[time.Time]*[decide.NumVerdicts]uint32{}
	from := r.From.Unix() / 3600
	for key, counts := range c.hours {
		if key < from {
			continue
		}
		start := time.Unix(key*3600, 0).In(r.Zone)
		if r.HourLength == 24 {
			start = time.Date(start.Year(), start.Month(), start.Day(), 0, 0, 0, 0, r.Zone)
		}
		if rows[start] == nil {
			rows[start] = new([decide.NumVerdicts]uint32)
		}
		for v, n := range counts {
			if key == from {
				n -= c.cut[v]
			}
			rows[start][v] += n
		}
	}
	for start, counts := range rows {
		hour := Hour{start, map[string]int{}}
		for v, n := range counts {
			if n > 0 {
				hour.Counts[word(uint8(v))] = int(n)
			}
		}
		r.Hours = append(r.Hours, hour)
	}
	slices.SortFunc(r.Hours, func(a, b Hour) int { return a.Start.Compare(b.Start) })
}

// maxAdvice is how many lines of sendwrap.conf are named.
const maxAdvice = 4

// oftenKnown is how often a client was known that is taken for an honest one.
const oftenKnown = 3

// advice is what lines of sendwrap.conf would mend something.
func (c *counter) advice() []Advice {
	list := []Advice{}
	for _, key := range c.clients.mistaken() {
		one := c.clients.servedOnes[key]
		if one.known >= oftenKnown && !one.allowed && len(list) < 2 {
			if line := one.cure(key.network()); line != "" {
				list = append(list, Advice{line, fmt.Sprintf("known %s, and refused %s, last %s",
					times(int(one.known)), times(int(one.refused)), word(one.verdict))})
			}
		}
	}
	if c.r.Delay.Suggest > 0 {
		d := time.Duration(c.r.Delay.Suggest * float64(time.Second))
		list = append(list, Advice{"greet_delay " + rule.FormatDuration(d), c.r.Delay.Why})
	}
	if b := c.busy; b.full*100 > c.r.Connections {
		more := min(2*b.limit, policy.MaxSessions)
		list = append(list, Advice{fmt.Sprintf("max_sessions %d", more),
			fmt.Sprintf("%s found all %d places taken; see that the machine can bear it",
				plural(b.full, "client", "clients"), b.limit)})
	}
	if a, ok := c.deny(); ok {
		list = append(list, a)
	}
	return list[:min(len(list), maxAdvice)]
}

// cure is a line for one client, or for the wide network of which it had too much.
func (one client) cure(n netip.Prefix) string {
	if one.bits > 0 {
		if int(one.bits) > n.Bits() {
			return "" // its addresses in the /64 are different clients
		}
		n, _ = n.Addr().Prefix(int(one.bits))
	}
	name := clientName(n)
	switch v := decide.Verdict(one.verdict); {
	case v == decide.Rate && one.limit > 0:
		return fmt.Sprintf("client %s client_rate=%d/%s", name, one.limit,
			rule.FormatDuration(time.Duration(one.per)*time.Second))
	case v == decide.Conns && one.limit > 0:
		return fmt.Sprintf("client %s client_conns=%d", name, one.limit)
	case v == decide.DNSBL:
		return "client " + name + " dnsbl=off"
	case one.kind[0] != 0: // it spoke early; other blocks are made on purpose
		return "allow " + name
	}
	return ""
}

// largeShare and many are the part of all offenders, in percent, and the number, from which on a
// network is worth a line of its own.
const (
	largeShare = 10
	many       = 100
)

// deny names the network from which most offenders come, if none of it was served.
func (c *counter) deny() (a Advice, ok bool) {
	all := 0
	for _, n := range c.offenders.cells {
		all += n.count
	}
	for _, n := range c.offenders.cells {
		if sure := n.sure(); sure >= many && sure*100 >= all*largeShare &&
			!c.clients.anyIn(n.key) && len(c.clients.servedOnes) < maxClients {
			return Advice{"deny " + n.key.String(), fmt.Sprintf(
				"%.0f %% of all that were refused for what they did; none of its was served",
				percent(sure, all))}, true
		}
	}
	return a, false
}
