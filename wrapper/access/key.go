package access

import (
	"net/netip"
	"strconv"
	"strings"

	"sendwrap/allowlist/rule"
)

// subject is whom a key is about: a network or a name.
type subject struct {
	place
	name string
	cidr bool
}

// parseSubject reads a key without its tag, in lower case. ok is false if no client has it.
func parseSubject(s string) (subject, bool) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		network, ok := parseNetwork(inner)
		return subject{place: place{network, true}}, ok && closed
	}
	if network, ok := parseNetwork(s); ok {
		return subject{place: place{network, false}}, true
	}
	if strings.Contains(s, "/") {
		network, err := netip.ParsePrefix(strings.TrimPrefix(s, "ipv6:"))
		ok := err == nil && !network.Addr().Is4In6() && network == network.Masked()
		return subject{place: place{network, false}, cidr: true}, ok
	}
	if name, ok := rule.NormalName(s); ok && name == s && strings.Trim(s, "-.0123456789") != "" {
		return subject{name: s}, true
	}
	return subject{}, false
}

// parseNetwork reads an address as sendmail writes it, or its first octets or groups. No client has
// an IPv4-mapped one: sendmail and we take it for IPv4.
func parseNetwork(s string) (netip.Prefix, bool) {
	groups, isIPv6 := strings.CutPrefix(s, "ipv6")
	var bytes [16]byte
	if !isIPv6 {
		n, ok := parseParts(bytes[:4], s, ".", 10, 8)
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(bytes[:4])), n), ok
	}
	if groups == "" {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0), true
	}
	if groups[0] != ':' {
		return netip.Prefix{}, false
	}
	n, ok := parseParts(bytes[:], groups[1:], ":", 16, 16)
	addr := netip.AddrFrom16(bytes)
	return netip.PrefixFrom(addr, n), ok && !addr.Is4In6()
}

// parseParts reads numbers of this base and width, without leading zeros, into bytes. It returns
// how many bits they are.
func parseParts(bytes []byte, s, separator string, base, width int) (bits int, ok bool) {
	for more := true; more; {
		var part string
		part, s, more = strings.Cut(s, separator)
		n, err := strconv.ParseUint(part, base, width)
		if err != nil || bits == 8*len(bytes) || len(part) > 1 && part[0] == '0' {
			return 0, false
		}
		if width == 16 {
			bytes[bits/8] = byte(n >> 8)
			bytes[bits/8+1] = byte(n)
		} else {
			bytes[bits/8] = byte(n)
		}
		bits += width
	}
	return bits, true
}
