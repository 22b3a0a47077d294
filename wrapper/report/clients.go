package report

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/loglines"
)

// maxClients is how many clients are remembered that were served, and as many that were refused.
const maxClients = 1 << 17

// clients finds those that were both refused and served. A client that was served is remembered as
// long as there is room. Of those that were only refused, one is forgotten for each that comes when
// there is none: an attacker has more addresses than others.
type clients struct {
	servedOnes, refusedOnes map[clientKey]client
	forgotten               int
}

// clientKey is an IPv4 address or the /64 of an IPv6 address, without a pointer for the collector.
type clientKey struct {
	bits uint64
	v6   bool
}

// client is what is remembered of one.
type client struct {
	at                            int64 // the last refusal, in seconds since 1970
	refused, before, after, known uint32
	verdict                       uint8 // of that
	kind                          [9]byte
	allowed                       bool   // since then: a line allows it already
	limit, per                    uint32 // of conns or rate, with which it would be served
	bits                          uint8  // of the wide network that needs that limit; 0 = it itself
}

func keyOf(n netip.Prefix) (k clientKey) {
	b := n.Addr().As16()
	if k.v6 = n.Addr().Is6(); !k.v6 {
		copy(b[:4], b[12:])
		clear(b[4:8])
	}
	for _, x := range b[:8] {
		k.bits = k.bits<<8 | uint64(x)
	}
	return k
}

func (k clientKey) network() netip.Prefix {
	var b [16]byte
	for i := range 8 {
		b[i] = byte(k.bits >> (56 - 8*i))
	}
	if !k.v6 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), 32)
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), 64)
}

// served notes that a client got its MTA.
func (c *clients) served(n netip.Prefix, v decide.Verdict) {
	key := keyOf(n)
	one, ok := c.servedOnes[key]
	if !ok {
		if len(c.servedOnes) >= maxClients {
			c.forgotten++
			return
		}
		if one, ok = c.refusedOnes[key]; ok {
			delete(c.refusedOnes, key)
		}
	}
	one.after++
	switch v {
	case decide.Known:
		one.known++
	case decide.Allowed:
		one.allowed = true
	}
	if c.servedOnes == nil {
		c.servedOnes = map[clientKey]client{}
	}
	c.servedOnes[key] = one
}

// refused notes that a client was refused.
func (c *clients) refused(n netip.Prefix, l *loglines.Line, v decide.Verdict) {
	key := keyOf(n)
	one, ok := c.servedOnes[key]
	in := c.servedOnes
	if !ok {
		if c.refusedOnes == nil {
			c.refusedOnes = map[clientKey]client{}
		}
		in = c.refusedOnes
		one, ok = in[key]
	}
	if !ok && len(in) >= maxClients {
		c.forgotten++
		for other := range in {
			delete(in, other)
			break
		}
	}
	one.refused++
	one.before, one.after = one.before+one.after, 0
	one.note(l, v)
	in[key] = one
}

// note keeps what the line of a refusal says of the reason.
func (one *client) note(l *loglines.Line, v decide.Verdict) {
	one.at, one.verdict = l.Time.Unix(), uint8(v)
	one.kind, one.limit, one.bits, one.allowed = [9]byte{}, 0, 0, false
	switch v {
	case decide.Pregreet:
		copy(one.kind[:], l.Get("kind"))
	case decide.Blocked:
		if early, ok := strings.CutPrefix(l.Get("reason"), decide.ReasonPregreet+":"); ok {
			copy(one.kind[:], early)
		}
	case decide.Rate:
		if per, ok := l.Duration("per"); ok {
			one.raise(l, "rate", rule.MaxClientRate)
			one.per = uint32(per.Seconds())
		}
	case decide.Conns:
		one.raise(l, "conns", rule.MaxClientConns)
	}
}

// raise notes which limit would have let the client in: twice the one that was reached, be it its
// own or that of a wide network. Where places were scarce, it is the limit that it has: set for its
// network, that does not shrink.
func (one *client) raise(l *loglines.Line, key string, most int) {
	n, limit, ok := l.IntOf(key)
	wide, named := l.Network()
	scarce := l.Has("serving")
	switch {
	case !ok || limit >= most:
		return
	case named && !scarce:
		one.bits = uint8(wide.Bits())
	case named, n < limit:
		one.limit = uint32(limit)
		return
	}
	one.limit = uint32(min(2*limit, most))
}

// mistaken are those that were refused and served, the likely ones first: those that were known
// most often, then those that were served most often.
func (c *clients) mistaken() (all []clientKey) {
	for key, one := range c.servedOnes {
		if one.refused > 0 {
			all = append(all, key)
		}
	}
	slices.SortFunc(all, func(a, b clientKey) int {
		x, y := c.servedOnes[a], c.servedOnes[b]
		return cmp.Or(cmp.Compare(y.known, x.known),
			cmp.Compare(y.before+y.after, x.before+x.after),
			cmp.Compare(x.refused, y.refused), cmp.Compare(a.bits, b.bits))
	})
	return all
}

func (c *clients) mistake(key clientKey, zone *time.Location) Mistake {
	one := c.servedOnes[key]
	return Mistake{
		Network: key.network(), Refused: int(one.refused), Verdict: word(one.verdict),
		Kind: strings.TrimRight(string(one.kind[:]), "\x00"), At: time.Unix(one.at, 0).In(zone),
		Before: int(one.before), After: int(one.after), Known: int(one.known),
	}
}

// anyIn reports whether a client of the network was served.
func (c *clients) anyIn(n netip.Prefix) bool {
	for key := range c.servedOnes {
		if n.Contains(key.network().Addr()) {
			return true
		}
	}
	return false
}

// word is the verdict's word; "" for none.
func word(v uint8) string {
	if v == 0 {
		return ""
	}
	return decide.Verdict(v).String()
}
