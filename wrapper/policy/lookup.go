package policy

import (
	"net/netip"
	"time"

	"sendwrap/allowlist/rule"
)

// Rule is what holds for a range of addresses or for a name.
type Rule struct {
	Limits uint32 // number in Content.Limits, from 1; 0 = none
	Line   uint32 // the line that allows or denies
	File   uint16 // number in Content.Sources
	Bits   uint8  // length of the network that is allowed or denied; of a name, in bytes
	Access rule.Access
	Reply  uint32 // number in Content.Replies, from 1; 0 = ours
}

func readRule(b []byte) Rule {
	return Rule{get32(b), get32(b[4:]), get16(b[8:]), b[10], rule.Access(b[11]), get32(b[12:])}
}

// put writes the rule, with the place of its reply in place of the number.
func (r *Rule) put(b []byte, replies []uint32) {
	put32(b, r.Limits)
	put32(b[4:], r.Line)
	put16(b[8:], r.File)
	b[10], b[11] = r.Bits, byte(r.Access)
	put32(b[12:], replies[r.Reply])
}

// lookup finds what applies to a client, which must be normalized.
func (c *Compiled) lookup(t *table, client netip.Addr) (m rule.Match, err error) {
	f, at := v6, t.v6
	if client.Is4() {
		f, at = v4, t.v4
	}
	if at.levels == 0 { // there is no access map
		return m, nil
	}
	found, within, err := c.find(f, at, keyOf(client))
	if err != nil {
		return m, err
	}
	if found.Access != rule.Unset {
		m.Network = netip.PrefixFrom(client, int(found.Bits)).Masked()
		// A network that does not hold the whole range decides about clients outside it.
		if !m.Network.Contains(f.addr(within.first)) || !m.Network.Contains(f.addr(within.last)) {
			return rule.Match{}, c.damaged()
		}
	}
	if err := c.addRule(&m, found); err != nil {
		return rule.Match{}, err
	}
	return m, nil
}

// addRule sets what the rule says, but for its network or name.
func (c *Compiled) addRule(m *rule.Match, r Rule) error {
	if m.Access = r.Access; r.Access != rule.Unset {
		if r.Access > rule.Deny || int(r.File) >= len(c.sources) {
			return c.damaged()
		}
		m.Source = rule.Source{File: c.sources[r.File].Path, Line: int(r.Line)}
	}
	if r.Reply > 0 {
		if err := c.readReply(&m.Reply, r.Reply); err != nil {
			return err
		}
	}
	if r.Limits == 0 {
		return nil
	}
	return c.readLimits(&m.Limits, r.Limits)
}

// span are the keys from first to last.
type span struct{ first, last key }

// find goes down a tree to the range that holds k.
func (c *Compiled) find(f family, at root, k key) (r Rule, within span, err error) {
	within.last = f.last()
	number := at.at
	for level := at.levels - 1; ; level-- {
		if err := c.read(number, f.kind); err != nil {
			return r, within, err
		}
		size := f.keySize
		if level == 0 {
			size = f.leafSize()
		}
		h := c.page.head()
		i, ok := c.page.search(f, size, int(h.count), k, &within)
		if !ok || h.level != level {
			return r, within, c.damaged()
		}
		if level == 0 {
			return readRule(c.page[headSize+i*size+f.keySize:]), within, nil
		}
		number = h.child + uint32(i) // the child's head and first key tell if it is the right one
	}
}

// search finds the entry that holds k, and narrows within to its keys. ok is false if the entries
// are not all in order and within.
func (p *page) search(f family, size, count int, k key, within *span) (i int, ok bool) {
	if count == 0 || count > bodySize/size || f.key(p[headSize:]) != within.first {
		return 0, false
	}
	at := within.first
	for n := 1; n < count; n++ {
		next := f.key(p[headSize+n*size:])
		if !at.less(next) || within.last.less(next) {
			return 0, false
		}
		if at = next; !k.less(next) {
			i = n
		}
	}
	within.first = f.key(p[headSize+i*size:])
	if i+1 < count {
		within.last = f.key(p[headSize+(i+1)*size:]).before()
	}
	return i, true
}

// readLimits reads limits by their number, from 1.
func (c *Compiled) readLimits(l *rule.Limits, number uint32) error {
	if number > c.header.limits {
		return c.damaged()
	}
	if err := c.read(c.header.limitsAt+(number-1)/uint32(limitsPer), limitsPage); err != nil {
		return err
	}
	i := int(number-1) % limitsPer
	b := c.page[headSize+i*limitsSize:]
	set := get32(b)
	if i >= int(c.page.head().count) || set>>keys != 0 {
		return c.damaged()
	}
	for k := range rule.Keys {
		b := b[setSize+16*int(k):]
		n, per := int64(get64(b)), int64(get64(b[8:]))
		if n < 0 || n > mostCount || per < 0 || per > int64(mostTime) {
			return c.damaged()
		}
		if set>>k&1 == 1 {
			l.SetRate(k, rule.Rate{N: int(n), Per: time.Duration(per)})
		}
	}
	return nil
}

func putLimits(b []byte, l rule.Limits) {
	var set uint32
	for k := range rule.Keys {
		if l.IsSet(k) {
			set |= 1 << k
			r := l.RateOr(k, rule.Rate{})
			put64(b[setSize+16*int(k):], uint64(r.N))
			put64(b[setSize+16*int(k)+8:], uint64(r.Per))
		}
	}
	put32(b, set)
}
