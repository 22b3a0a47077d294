package enforce

import (
	"net/netip"
	"slices"
)

// Networks is a set of networks that quickly answers whether one of them holds an address. The
// networks of blocks have few prefix lengths, mostly one.
type Networks struct {
	all     map[netip.Prefix]struct{}
	lengths [2][]int // prefix lengths that occur, of IPv4 and IPv6
}

// Add adds networks, whose host bits must be 0.
func (n *Networks) Add(networks ...netip.Prefix) {
	if n.all == nil {
		n.all = map[netip.Prefix]struct{}{}
	}
	for _, p := range networks {
		n.all[p] = struct{}{}
		family := familyOf(p.Addr())
		if !slices.Contains(n.lengths[family], p.Bits()) {
			n.lengths[family] = append(n.lengths[family], p.Bits())
		}
	}
}

// Hold reports whether one of the networks holds the address. An IPv4-mapped address must have
// been unmapped.
func (n *Networks) Hold(addr netip.Addr) bool {
	for _, bits := range n.lengths[familyOf(addr)] {
		if p, err := addr.Prefix(bits); err == nil {
			if _, found := n.all[p]; found {
				return true
			}
		}
	}
	return false
}

func familyOf(addr netip.Addr) int {
	if addr.Is4() {
		return 0
	}
	return 1
}
