package allowlist

import (
	"fmt"
	"net/netip"
	"strings"
)

// maxShown is the longest text that an error shows, and that is looked at for what it may mean.
const maxShown = 100

// explain says what is wrong with s, which ParseNetwork refused.
func explain(s string) *Error {
	if s == "" {
		return wrong("write a network such as 192.0.2.0/24", "empty network")
	}
	if len(s) > maxShown {
		return wrong("write a network such as 192.0.2.0/24", "%q... is not a network", s[:maxShown])
	}
	if strings.ContainsAny(s, ",;") {
		return wrong("write blanks between networks", "%q is not one network", s)
	}
	if MeansAll(s) {
		return wrong("write 0.0.0.0/0 ::/0", "%q is not a network", s)
	}
	if meant := zeros(s); meant != "" {
		return wrong("write "+meant, "zero before a number in %q", s)
	}
	if meant := respell(s); meant != "" {
		return wrong("write "+meant, "%q is neither an address nor CIDR", s)
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
			return wrong(fmt.Sprintf("write a number from 0 to %d", bits), "wrong length after the slash in %q", s)
		}
		bits = n
	}
	switch meant := netip.PrefixFrom(addr, bits); { // which has no zone
	case addr.Is4In6() && bits < 96: // wider than all of IPv4: only the address can have been meant
		return wrong("write its IPv4 form "+addr.Unmap().WithZone("").String(), "%q is IPv4-mapped", s)
	case addr.Is4In6():
		return wrong("write its IPv4 form "+either(netip.PrefixFrom(addr.Unmap(), bits-96)), "%q is IPv4-mapped", s)
	case addr.Zone() != "":
		return wrong("write "+either(meant), "zone in %q", s)
	default:
		return wrong("write "+either(meant), "host bits set in %q", s)
	}
}

// MeansAll says whether s is a word by which other programs name everyone. Here two networks are.
func MeansAll(s string) bool {
	switch strings.ToLower(s) {
	case "all", "any", "everyone", "everything", "world", "*", "*.*.*.*":
		return true
	}
	return false
}

func wrong(hint, format string, args ...any) *Error {
	return &Error{Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// notAddress is about s, whose part before the slash is in no form known.
func notAddress(s, text string) *Error {
	if isName(text) {
		return wrong("write its address or network", "%q is a name", s)
	}
	if strings.ContainsAny(s, "*?") {
		return wrong("write its networks, such as 192.0.2.0/24 or 2001:db8::/32",
			"%q is a pattern", s)
	}
	if strings.Contains(s, "#") {
		return wrong("write a blank before the comment", "%q is not a network", s)
	}
	return wrong("write a network such as 192.0.2.0/24 or 2001:db8::/32", "%q is not a network", s)
}

// isName says whether s could be a host name and is certainly not meant as an address.
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

// either names the network, and the address too where host bits leave open which was meant.
func either(p netip.Prefix) string {
	if p == p.Masked() {
		return short(p)
	}
	return short(p.Masked()) + " or " + p.Addr().String()
}

// short writes a network of one as its address.
func short(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
