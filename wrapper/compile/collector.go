package compile

import (
	"net/netip"
	"slices"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// collector takes what the text says about networks and names, as an allowlist.List made by All
// does, with the same errors. Nobody can ask it about a client before the text is read; so a
// network costs it a tenth of what the list needs (BenchmarkCompile).
type collector struct {
	networks []network
	indexes  map[id]int32 // in networks
	names    []name
	called   map[string]int32 // by name, in names
	limits   limitsTable
	files    []string
	more     map[what]*[rule.Keys]place // of those whose limits are of several lines
	isMap    bool                       // of an access map: a name also holds all below
	calls    struct{ networks, names int }
	settings *policy.Settings // for whose wide networks lines count; nil = none
}

// what is a network or a name.
type what struct {
	index  int32
	isName bool
}

// id is a network as a number, that of IPv4 in its IPv6-mapped form. Networks of IPv6 in that form
// do not exist: allowlist.ParseNetwork refuses them.
type id struct {
	hi, lo uint64
	bits   uint8
}

// place is a line, of one of the collector's files.
type place struct{ file, line int32 }

// network is what was said about one.
type network struct {
	hi, lo uint64 // as in its id
	said
}

// name is what was said about one.
type name struct {
	text string
	said
}

// said is what was said about a network or name. A million of them must not be large.
type said struct {
	accessAt place
	limitsAt place  // if they are of one line
	limits   uint32 // number in the table
	bits     uint8  // of a network, as in its id
	access   rule.Access

	// Of an access map:
	decides bool   // about access, even if that is Unset
	unset   keySet // whose limits are not set, whatever is said of wider ones
	reply   uint32
}

// keySet is a set of keys, one bit each. The constant does not compile if one key is too many.
type keySet uint16

const _ = keySet(1) << (rule.Keys - 1)

// hasAccess reports whether what was said of wide networks or names does not count.
func (s *said) hasAccess() bool { return s.access != rule.Unset || s.decides }

func newCollector() *collector {
	return &collector{
		indexes: map[id]int32{}, called: map[string]int32{}, limits: newLimitsTable(),
		more: map[what]*[rule.Keys]place{},
	}
}

// SetAccess is that of [allowlist.List].
func (c *collector) SetAccess(n netip.Prefix, a rule.Access, src rule.Source) error {
	c.calls.networks++
	i, err := c.index(n)
	if err != nil {
		return err
	}
	if before, at := c.setAccess(&c.networks[i].said, a, src); before != rule.Unset {
		return allowlist.AccessTwice(n.String(), a, before, at)
	}
	return nil
}

// SetNameAccess is that of [allowlist.List].
func (c *collector) SetNameAccess(text string, a rule.Access, src rule.Source) error {
	i := c.nameIndex(text)
	if before, at := c.setAccess(&c.names[i].said, a, src); before != rule.Unset {
		return allowlist.AccessTwice(text, a, before, at)
	}
	return nil
}

// setAccess sets the access. It returns the one before, with its place, if that is the opposite.
// What was allowed stays so.
func (c *collector) setAccess(
	s *said, a rule.Access, src rule.Source,
) (before rule.Access, at rule.Source) {
	if a == rule.Unset || s.access == a {
		return rule.Unset, at
	}
	if before = s.access; before != rule.Unset {
		at = c.source(s.accessAt)
	}
	if before != rule.Allow {
		s.access, s.accessAt = a, c.place(src)
	}
	return before, at
}

// SetLimits is that of [allowlist.List].
func (c *collector) SetLimits(n netip.Prefix, limits rule.Limits, src rule.Source) error {
	c.calls.networks++
	i, err := c.index(n)
	if err != nil {
		return err
	}
	k, at, contradicts := c.addLimits(&c.networks[i].said, what{index: i}, limits, src)
	if contradicts {
		return allowlist.LimitTwice(n.String(), k, at)
	}
	return nil
}

// SetNameLimits is that of [allowlist.List].
func (c *collector) SetNameLimits(text string, limits rule.Limits, src rule.Source) error {
	i := c.nameIndex(text)
	k, at, contradicts := c.addLimits(&c.names[i].said, what{i, true}, limits, src)
	if contradicts {
		return allowlist.LimitTwice(text, k, at)
	}
	return nil
}

// addLimits adds limits, or nothing if one of them contradicts an earlier one, which is at that
// place.
func (c *collector) addLimits(
	s *said, w what, limits rule.Limits, src rule.Source,
) (k rule.Key, at rule.Source, contradicts bool) {
	before := c.limits.all[s.limits]
	if k, found := before.Contradicts(limits); found {
		return k, c.source(c.limitPlace(s, w, k)), true
	}
	now := before.OverriddenBy(limits)
	switch at := c.place(src); {
	case now == before:
		return 0, rule.Source{}, false
	case s.limits == 0:
		s.limitsAt = at
	default:
		c.addPlaces(s, w, before, at)
	}
	s.limits = c.limits.number(now)
	return 0, rule.Source{}, false
}

// limitPlace is the line that sets a limit of a network or name.
func (c *collector) limitPlace(s *said, w what, k rule.Key) place {
	if more := c.more[w]; more != nil {
		return more[k]
	}
	return s.limitsAt
}

// addPlaces notes that the limits that a network or name does not have yet are of this line.
func (c *collector) addPlaces(s *said, w what, has rule.Limits, at place) {
	var all [rule.Keys]place
	for k := range rule.Keys {
		if all[k] = at; has.IsSet(k) {
			all[k] = c.limitPlace(s, w, k)
		}
	}
	c.more[w] = &all
}

// nameIndex finds a name's entry, or creates it.
func (c *collector) nameIndex(text string) int32 {
	c.calls.names++
	i, found := c.called[text]
	if !found {
		i = int32(len(c.names))
		c.called[text] = i
		c.names = append(c.names, name{text: text})
	}
	return i
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
		c.networks = append(c.networks, network{of.hi, of.lo, said{bits: of.bits}})
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
