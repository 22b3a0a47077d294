package access

import (
	"net/netip"
	"strconv"
	"strings"
)

// noteCIDR says how to write a network so that sendmail sees it, too.
func (r *reader) noteCIDR(l line, network netip.Prefix) {
	hint := "write its parts by octets or groups if sendmail is to see them"
	if key, ok := written(network); ok {
		hint = "write " + l.prefix() + key
	}
	r.note("sendmail does not see "+quoted(l.key)+"; sendwrap does", hint)
}

// written is how sendmail writes a network; ok is false if it ends within an octet or a group.
func written(network netip.Prefix) (string, bool) {
	bytes := network.Addr().AsSlice()
	if network.Addr().Is4() {
		parts := make([]string, network.Bits()/8)
		for i := range parts {
			parts[i] = strconv.Itoa(int(bytes[i]))
		}
		return strings.Join(parts, "."), network.Bits()%8 == 0 && network.Bits() > 0
	}
	parts := make([]string, network.Bits()/16)
	for i := range parts {
		parts[i] = strconv.FormatUint(uint64(bytes[2*i])<<8|uint64(bytes[2*i+1]), 16)
	}
	return strings.Join(append([]string{"IPv6"}, parts...), ":"), network.Bits()%16 == 0
}

// never notes a key that no client has. Without a tag it may be for senders and recipients; it is
// noted if it looks like a network or a host all the same.
func (r *reader) never(l line) {
	s := lower(l.subject)
	if network, err := netip.ParsePrefix(strings.TrimPrefix(s, "ipv6:")); err == nil {
		r.neverPrefix(l, network)
		return
	}
	if l.tagged && strings.Contains(s, "/") {
		r.mistake(l, quoted(l.key)+" is no network", "write a network as 192.0.2.0/24")
		return
	}
	hint := respelled(s)
	switch {
	case hint != "":
		hint = "write " + l.prefix() + hint
	case !l.tagged:
		return
	case strings.Contains(s, ":") && !strings.HasPrefix(s, "ipv6:"):
		hint = "write one tag for each line"
	case strings.Contains(s, "@"):
		hint = "write the name or address of a host"
	default:
		hint = "write a name or an address"
	}
	what := " never matches"
	if s[0] == '.' {
		what += " without FEATURE(lookupdotdomain), which sendwrap does not have"
	}
	r.note(quoted(l.key)+what, hint)
}

// neverPrefix notes a network that is wrong as CIDR.
func (r *reader) neverPrefix(l line, network netip.Prefix) {
	if addr := network.Addr(); addr.Is4In6() {
		if bits := network.Bits() - 96; bits >= 0 {
			network = netip.PrefixFrom(addr.Unmap(), bits).Masked()
			r.mistake(l, "IPv4-mapped network "+quoted(l.key), "write "+l.prefix()+network.String())
			return
		}
	}
	r.mistake(l, "bits of a host in "+quoted(l.key), "write "+l.prefix()+network.Masked().String())
}

// respelled is the key that is probably meant by one that never matches, or "".
func respelled(s string) string {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if key := respelled(strings.TrimSuffix(inner, "]")); key != "" {
			return "[" + key + "]"
		}
		return ""
	}
	if addr, err := netip.ParseAddr(strings.TrimPrefix(s, "ipv6:")); err == nil &&
		!strings.HasSuffix(s, "::") { // those are a network, mostly
		addr = addr.Unmap().WithZone("")
		key, _ := written(netip.PrefixFrom(addr, addr.BitLen()))
		return key
	}
	s = strings.Trim(strings.TrimPrefix(s, "*"), ".:")
	if _, ok := parseSubject(s); ok {
		return spelled(s)
	}
	return withoutZeros(s)
}

// spelled is a key in lower case with the IPv6 that sendmail writes.
func spelled(s string) string { return strings.Replace(s, "ipv6", "IPv6", 1) }

// withoutZeros removes the leading zeros of octets or groups; "" if that makes no network of it.
func withoutZeros(s string) string {
	separator := "."
	groups, isIPv6 := strings.CutPrefix(s, "ipv6:")
	if !isIPv6 {
		groups = s
	}
	if isIPv6 || strings.Contains(groups, ":") {
		separator, isIPv6 = ":", true
	}
	parts := strings.Split(groups, separator)
	for i, part := range parts {
		if parts[i] = strings.TrimLeft(part, "0"); parts[i] == "" && part != "" {
			parts[i] = "0"
		}
	}
	key := strings.Join(parts, separator)
	if isIPv6 {
		key = "ipv6:" + key
	}
	if _, ok := parseNetwork(key); !ok {
		return ""
	}
	return spelled(key)
}
