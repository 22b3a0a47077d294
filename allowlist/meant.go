package allowlist

import (
	"net/netip"
	"strings"
)

// Meant is for a text that [ParseNetwork] refuses: all networks that can have been meant by it. Of
// an address with a length that leaves host bits that is the network, which holds the address.
// Where it cannot be told, it is none.
func Meant(s string) (all []netip.Prefix) {
	for _, one := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' }) {
		networks := meant(one)
		if networks == nil {
			return nil
		}
		all = append(all, networks...)
	}
	return all
}

// meant is Meant of one word.
func meant(s string) (all []netip.Prefix) {
	if len(s) > maxShown {
		return nil
	}
	if MeansAll(s) {
		all4, all6 := netip.IPv4Unspecified(), netip.IPv6Unspecified()
		return []netip.Prefix{netip.PrefixFrom(all4, 0), netip.PrefixFrom(all6, 0)}
	}
	if _, lone := number(s, 1<<31-1); lone {
		return nil // the half of something, or a count: 192.168.0.0 / 16
	}
	if text, length, slash := strings.Cut(s, "/"); slash && (text == "" || length == "") {
		return nil
	}
	for _, word := range strings.Fields(respell(s)) { // which may offer one network or the other
		if network, err := ParseNetwork(word); err == nil {
			all = append(all, network)
		}
	}
	if all != nil {
		return all
	}
	text, length, slash := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return nil
	}
	bits := addr.BitLen()
	if slash {
		n, ok := number(length, bits)
		if !ok {
			return nil
		}
		bits = n
	}
	switch {
	case addr.Is4In6() && bits >= 96:
		bits -= 96
	case addr.Is4In6() && bits > 32:
		bits = 32
	}
	return []netip.Prefix{netip.PrefixFrom(addr.Unmap(), bits).Masked()}
}
