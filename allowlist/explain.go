package allowlist

import (
	"fmt"
	"net/netip"
	"strings"
)

// maxShown is the longest text that an error shows, and for which a spelling is guessed.
const maxShown = 100

// explain says what is wrong with a text that ParseNetwork refuses.
func explain(s string) *Error {
	if s == "" {
		return newError("write a network such as 192.0.2.0/24", "empty network")
	}
	if len(s) > maxShown {
		return newError("write a network such as 192.0.2.0/24", "%q... is not a network",
			s[:maxShown])
	}
	if strings.ContainsAny(s, ",;") {
		return newError("write blanks between networks", "%q is not one network", s)
	}
	if MeansAll(s) {
		return newError("write 0.0.0.0/0 ::/0", "%q is not a network", s)
	}
	if meant := leadingZeros(s); meant != "" {
		return newError("write "+meant, "leading zero in %q", s)
	}
	if meant := respell(s); meant != "" {
		return newError("write "+meant, "%q is neither an address nor CIDR", s)
	}
	text, length, slash := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return notAddress(s, text)
	}
	bits := addr.BitLen()
	if slash {
		n, ok := number(length, bits)
		if !ok {
			return newError(fmt.Sprintf("write a number from 0 to %d", bits),
				"wrong length after the slash in %q", s)
		}
		bits = n
	}
	switch meant := netip.PrefixFrom(addr, bits); { // which has no zone
	case addr.Is4In6():
		v4 := netip.PrefixFrom(addr.Unmap(), max(0, bits-mappedBits))
		if bits < mappedBits { // wider than all of IPv4: only the address can be meant
			v4 = netip.PrefixFrom(v4.Addr(), v4.Addr().BitLen())
		}
		return newError("write its IPv4 form "+either(v4), "%q is IPv4-mapped", s)
	case addr.Zone() != "":
		return newError("write "+either(meant), "zone in %q", s)
	default:
		return newError("write "+either(meant), "host bits set in %q", s)
	}
}

// MeansAll reports whether s is a word that means everyone to other programs. To sendwrap, everyone
// is two networks, of IPv4 and of IPv6.
func MeansAll(s string) bool {
	switch strings.ToLower(s) {
	case "all", "any", "everyone", "everything", "world", "*", "*.*.*.*":
		return true
	}
	return false
}

// notAddress is the error for s if the part before its slash is in no known form.
func notAddress(s, text string) *Error {
	if isName(text) {
		return newError("write its address or network", "%q is a name", s)
	}
	if strings.ContainsAny(s, "*?") {
		return newError("write its networks, such as 192.0.2.0/24 or 2001:db8::/32",
			"%q is a pattern", s)
	}
	if strings.Contains(s, "#") {
		return newError("write a blank before the comment", "%q is not a network", s)
	}
	return newError("write a network such as 192.0.2.0/24 or 2001:db8::/32", "%q is not a network",
		s)
}

// isName reports whether s can be a host name and cannot be meant as an address.
func isName(s string) bool {
	certain := false
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'g' && r <= 'z':
			certain = true
		case r >= 'a' && r <= 'f', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
		default:
			return false
		}
	}
	return certain
}

// either names the network, and the address too if host bits are set: either can be meant.
func either(p netip.Prefix) string {
	if p == p.Masked() {
		return short(p)
	}
	return short(p.Masked()) + " or " + p.Addr().String()
}

// short is the network, or the address of a network of one.
func short(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
