package compile

import (
	"net/netip"
	"slices"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
)

// collector takes what the text says about networks, as an allowlist.List made by All does, with
// the same errors. Nobody can ask it about a client before the text is read; so a network costs it
// a tenth of what the list needs (BenchmarkCompile).
type collector struct {
	networks []network
	indexes  map[id]int32 // in networks
	limits   limitsTable
	files    []string
	more     map[int32]*[rule.Keys]place // of networks whose limits are of several lines
	named    int                         // calls
}

// id is a network as a number, that of IPv4 in its IPv6-mapped form. Networks of IPv6 in that form
// do not exist: allowlist.ParseNetwork refuses them.
type id struct {
	hi, lo uint64
	bits   uint8
}

// place is a line, of one of the collector's files.
type place struct{ file, line int32 }

// network is what was said about one. A million of them must not be large.
type network struct {
	hi, lo   uint64 // as in its id
	accessAt place
	limitsAt place  // if they are of one line
	limits   uint32 // number in the table
	bits     uint8
	access   rule.Access
}

func newCollector() *collector {
	return &collector{
		indexes: map[id]int32{}, limits: newLimitsTable(), more: map[int32]*[rule.Keys]place{},
	}
}

// SetAccess is that of [allowlist.List].
func (c *collector) SetAccess(n netip.Prefix, a rule.Access, src rule.Source) error {
	c.named++
	i, err := c.index(n)
	if err != nil || a == rule.Unset {
		return err
	}
	e := &c.networks[i]
	if e.access == a {
		return nil
	}
	if e.access != rule.Unset {
		err = allowlist.AccessTwice(n, a, e.access, c.source(e.accessAt))
	}
	if e.access != rule.Allow {
		e.access, e.accessAt = a, c.place(src)
	}
	return err
}

// SetLimits is that of [allowlist.List].
func (c *collector) SetLimits(n netip.Prefix, limits rule.Limits, src rule.Source) error {
	c.named++
	i, err := c.index(n)
	if err != nil {
		return err
	}
	e := &c.networks[i]
	before := c.limits.all[e.limits]
	if k, found := before.Contradicts(limits); found {
		return allowlist.LimitTwice(n, k, c.source(c.limitPlace(i, k)))
	}
	now := before.OverriddenBy(limits)
	switch at := c.place(src); {
	case now == before:
		return nil
	case e.limits == 0:
		e.limitsAt = at
	default:
		c.addPlaces(i, before, at)
	}
	e.limits = c.limits.number(now)
	return nil
}

// limitPlace is the line that sets a limit of a network.
func (c *collector) limitPlace(i int32, k rule.Key) place {
	if more := c.more[i]; more != nil {
		return more[k]
	}
	return c.networks[i].limitsAt
}

// addPlaces notes that the limits that a network does not have yet are of this line.
func (c *collector) addPlaces(i int32, has rule.Limits, at place) {
	var all [rule.Keys]place
	for k := range rule.Keys {
		if all[k] = at; has.IsSet(k) {
			all[k] = c.limitPlace(i, k)
		}
	}
	c.more[i] = &all
}

// index finds a network's entry, or creates it.
func (c *collector) index(n netip.Prefix) (int32, error) {
	if !n.IsValid() || n != n.Masked() || n.Addr().Is4In6() {
		_, err := allowlist.ParseNetwork(n.String()) // which says what is wrong
		return 0, err
	}
	var of id
	of.hi, of.lo = halves(n.Addr().As16())
	of.bits = uint8(n.Bits() + 128 - n.Addr().BitLen())
	i, found := c.indexes[of]
	if !found {
		i = int32(len(c.networks))
		c.indexes[of] = i
		if len(c.networks) == cap(c.networks) {
			// append would copy them more often.
			c.networks = slices.Grow(c.networks, len(c.networks)+1)
		}
		c.networks = append(c.networks, network{hi: of.hi, lo: of.lo, bits: of.bits})
	}
	return i, nil
}

// place is a source in short. Most lines are of the file of the line before.
func (c *collector) place(src rule.Source) place {
	for i := len(c.files) - 1; i >= 0; i-- {
		if c.files[i] == src.File {
			return place{int32(i), int32(src.Line)}
		}
	}
	c.files = append(c.files, src.File)
	return place{int32(len(c.files) - 1), int32(src.Line)}
}

func (c *collector) source(p place) rule.Source {
	return rule.Source{File: c.files[p.file], Line: int(p.line)}
}

// limitsTable numbers different limits. Number 0 is that none is set.
type limitsTable struct {
	all     []rule.Limits
	numbers map[rule.Limits]uint32
}

func newLimitsTable() limitsTable {
	return limitsTable{make([]rule.Limits, 1), map[rule.Limits]uint32{{}: 0}}
}

func (t *limitsTable) number(l rule.Limits) uint32 {
	n, found := t.numbers[l]
	if !found {
		n = uint32(len(t.all))
		t.all = append(t.all, l)
		t.numbers[l] = n
	}
	return n
}
