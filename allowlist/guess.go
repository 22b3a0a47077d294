package allowlist

import (
	"net/netip"
	"strings"
)

// Guess returns all networks that a text can mean which [ParseNetwork] refuses, or none if that is
// unclear. If host bits are set, it is the network, which contains the address too.
func Guess(s string) (all []netip.Prefix) {
	for _, one := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' }) {
		networks := guess(one)
		if networks == nil {
			return nil
		}
		all = append(all, networks...)
	}
	return all
}

// guess is Guess for one word.
func guess(s string) (all []netip.Prefix) {
	if len(s) > maxShown {
		return nil
	}
	if MeansAll(s) {
		all4, all6 := netip.IPv4Unspecified(), netip.IPv6Unspecified()
		return []netip.Prefix{netip.PrefixFrom(all4, 0), netip.PrefixFrom(all6, 0)}
	}
	if _, lone := number(s, 1<<31-1); lone {
		return nil // half of something, such as the 16 of "192.168.0.0 / 16", or a count
	}
	if text, length, slash := strings.Cut(s, "/"); slash && (text == "" || length == "") {
		return nil
	}
	for _, word := range strings.Fields(respell(s)) { // it may be "NETWORK or ADDRESS"
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
	case addr.Is4In6() && bits >= mappedBits:
		bits -= mappedBits
	case addr.Is4In6() && bits > 32:
		bits = 32
	}
	return []netip.Prefix{netip.PrefixFrom(addr.Unmap(), bits).Masked()}
}
