package compile

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// halves are the numbers that an address is, high and low.
func halves(b [16]byte) (hi, lo uint64) {
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

const (
	mappedBits = 96
	mapped     = 0xffff << 32 // in lo
)

// isV4 reports whether a network is one of IPv4.
func (n *network) isV4() bool {
	return n.bits >= mappedBits && n.hi == 0 && n.lo&^(1<<32-1) == mapped
}

// prefix is the network as others have it.
func (n *network) prefix() netip.Prefix {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], n.hi)
	binary.BigEndian.PutUint64(b[8:], n.lo)
	addr, bits := netip.AddrFrom16(b), int(n.bits)
	if n.isV4() {
		addr, bits = addr.Unmap(), bits-mappedBits
	}
	return netip.PrefixFrom(addr, bits)
}

// last is the last address.
func (n *network) last() (hi, lo uint64) {
	if n.bits >= 64 {
		return n.hi, n.lo | ^uint64(0)>>(n.bits-64)
	}
	return n.hi | ^uint64(0)>>n.bits, ^uint64(0)
}

// ranges makes the ranges of both families from the networks, which overlap, and numbers their
// limits.
func (c *collector) ranges(files []uint16, merged *limitsTable) (v4, v6 []policy.Range) {
	// A network comes before those within it.
	slices.SortFunc(c.networks, func(a, b network) int {
		return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo), cmp.Compare(a.bits, b.bits))
	})
	s4 := sweep{mapped: mapped, own: c.limits.all, merged: merged, files: files}
	s4.settings = c.settings
	s6 := s4
	s6.mapped = 0
	of := func(n *network) *sweep {
		if n.isV4() {
			return &s4
		}
		return &s6
	}
	for i := range c.networks {
		of(&c.networks[i]).most += 2
	}
	s4.begin(network{0, mapped, said{bits: mappedBits}})
	s6.begin(network{})
	for i := range c.networks {
		n := &c.networks[i]
		of(n).enter(n)
	}
	s4.leave(0)
	s6.leave(0)
	return s4.ranges, s6.ranges
}

// sweep goes through the addresses of a family in their order, and notes what holds from where.
type sweep struct {
	settings *policy.Settings

	mapped uint64
	own    []rule.Limits // of networks, by number
	merged *limitsTable  // of ranges
	files  []uint16      // those of the collector, as Content.Sources has them
	open   []opened      // that hold the address at hand, the longest last
	most   int           // ranges that can follow the first
	ranges []policy.Range
}

// opened is a network, with what holds where nothing longer is.
type opened struct {
	lastHi, lastLo uint64
	policy.Rule
}

// begin begins with a network of all addresses, for which nothing holds.
func (s *sweep) begin(all network) {
	s.ranges = make([]policy.Range, 0, s.most+1)
	hi, lo := all.last()
	s.open = append(s.open, opened{lastHi: hi, lastLo: lo})
	s.note(all.hi, all.lo)
}

// note notes that from this address on the longest open network decides.
func (s *sweep) note(hi, lo uint64) {
	r := policy.Range{Hi: hi, Lo: lo &^ s.mapped, Rule: s.open[len(s.open)-1].Rule}
	if n := len(s.ranges); n > 0 && s.ranges[n-1].Hi == r.Hi && s.ranges[n-1].Lo == r.Lo {
		s.ranges[n-1] = r
		return
	}
	s.ranges = append(s.ranges, r)
}

// enter goes on to the next network.
func (s *sweep) enter(n *network) {
	for keep := len(s.open); ; keep-- {
		o := &s.open[keep-1]
		if o.lastHi > n.hi || o.lastHi == n.hi && o.lastLo >= n.lo {
			break // it holds n
		}
		s.leave(keep - 1)
	}
	o := s.open[len(s.open)-1]
	o.lastHi, o.lastLo = n.last()
	if n.hasAccess() {
		o.Access, o.Line, o.File = n.access, uint32(n.accessAt.line), s.files[n.accessAt.file]
		o.Bits, o.Reply = n.bits, n.reply
		if s.mapped != 0 {
			o.Bits -= mappedBits
		}
	}
	if n.limits > 0 || n.unset > 0 {
		wider, own := without(s.merged.all[o.Limits], n.unset), s.own[n.limits]
		if s.settings != nil && len(s.settings.Wide) > 0 {
			own = own.Widened(s.settings.HoldsWide(n.prefix()))
		}
		o.Limits = s.merged.number(wider.OverriddenBy(own))
	}
	s.open = append(s.open, o)
	s.note(n.hi, n.lo)
}

// leave goes on to the end of the open networks, but of the first keep. Behind the last address of
// the family nothing is noted.
func (s *sweep) leave(keep int) {
	for len(s.open) > max(keep, 1) {
		o := s.open[len(s.open)-1]
		s.open = s.open[:len(s.open)-1]
		if o.lastHi == s.open[0].lastHi && o.lastLo == s.open[0].lastLo {
			continue
		}
		if o.lastLo++; o.lastLo == 0 {
			o.lastHi++
		}
		s.note(o.lastHi, o.lastLo)
	}
}
