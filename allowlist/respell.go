package allowlist

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// maxOffered is how many networks are offered in place of a range.
const maxOffered = 4

// respell is the CIDR spelling of a form that other programs use, or "".
func respell(s string) string {
	for _, form := range []func(string) string{logged, netmask, leadingZeros, octets, hextets,
		addressRange} {
		if meant := form(s); meant != "" {
			return meant
		}
	}
	return ""
}

// logged reads an address as logs show it: [192.0.2.1], [192.0.2.1]:25, 192.0.2.1:25.
func logged(s string) string {
	var addr netip.Addr
	if inner, _, found := strings.Cut(s, "]"); found && strings.HasPrefix(inner, "[") {
		addr, _ = netip.ParseAddr(inner[1:])
	} else if at, err := netip.ParseAddrPort(s); err == nil {
		addr = at.Addr()
	}
	if !addr.IsValid() {
		return ""
	}
	return addr.Unmap().WithZone("").String()
}

// netmask reads 192.0.2.0/255.255.255.0.
func netmask(s string) string {
	text, maskText, _ := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(text)
	mask, maskErr := netip.ParseAddr(maskText)
	if err != nil || maskErr != nil || !addr.Is4() || !mask.Is4() {
		return ""
	}
	quad := mask.As4()
	host := ^binary.BigEndian.Uint32(quad[:])
	if host&(host+1) != 0 {
		return "" // a mask with holes
	}
	return either(netip.PrefixFrom(addr, bits.LeadingZeros32(host)))
}

// leadingZeros reads octets with leading zeros, as in lists with columns. Some programs read them
// as octal: 010.0.0.1 is 10.0.0.1 or 8.0.0.1.
func leadingZeros(s string) string {
	text, length, slash := strings.Cut(s, "/")
	n, ok := 32, true
	if slash {
		n, ok = number(length, 32)
	}
	octets := strings.Split(text, ".")
	if !ok || len(octets) != 4 || !slices.ContainsFunc(octets, hasLeadingZero) {
		return ""
	}
	var meant []string
	for _, base := range []int{10, 8} {
		var quad [4]byte
		ok := true
		for i, octet := range octets {
			b := base
			if !hasLeadingZero(octet) {
				b = 10
			}
			v, err := strconv.ParseUint(octet, b, 8)
			quad[i], ok = byte(v), ok && err == nil
		}
		as := either(netip.PrefixFrom(netip.AddrFrom4(quad), n))
		if ok && !slices.Contains(meant, as) {
			meant = append(meant, as)
		}
	}
	return strings.Join(meant, " or ")
}

func hasLeadingZero(octet string) bool { return len(octet) > 1 && octet[0] == '0' }

// octets reads the first octets of IPv4 addresses: 192.0.2, 192.0.2., 192.0.2.*, 192.0/16.
func octets(s string) string {
	text, length, slash := strings.Cut(s, "/")
	for strings.HasSuffix(text, ".*") {
		text = strings.TrimSuffix(text, ".*")
	}
	text = strings.TrimSuffix(text, ".")
	given := strings.Count(text, ".") + 1
	if given > 3 {
		return ""
	}
	addr, err := netip.ParseAddr(text + strings.Repeat(".0", 4-given))
	if err != nil || !addr.Is4() {
		return ""
	}
	n, ok := 8*given, true
	if slash {
		n, ok = number(length, 32)
	}
	if !ok {
		return ""
	}
	return netip.PrefixFrom(addr, n).Masked().String()
}

// hextets reads the first groups of IPv6 addresses: 2001:db8, 2001:db8:, 2001:db8/32.
func hextets(s string) string {
	text, length, slash := strings.Cut(s, "/")
	text = strings.TrimSuffix(text, ":")
	given := strings.Count(text, ":") + 1
	if given == 1 || given > 7 || strings.Contains(text, "::") || strings.Contains(text, ".") {
		return ""
	}
	addr, err := netip.ParseAddr(text + "::")
	if err != nil || addr.Zone() != "" {
		return ""
	}
	n, ok := 16*given, true
	if slash {
		n, ok = number(length, 128)
	}
	if !ok {
		return ""
	}
	return netip.PrefixFrom(addr, n).Masked().String()
}

// addressRange reads 192.0.2.0-192.0.2.255 or 192.0.2.0-255 if a few networks make up the range.
func addressRange(s string) string {
	fromText, toText, found := strings.Cut(s, "-")
	from, err := netip.ParseAddr(fromText)
	if !found || err != nil || from.Is4In6() {
		return ""
	}
	if _, ok := number(toText, 255); ok && from.Is4() {
		toText = fromText[:strings.LastIndexByte(fromText, '.')+1] + toText
	}
	to, err := netip.ParseAddr(toText)
	if err != nil || from.BitLen() != to.BitLen() || from.Zone()+to.Zone() != "" {
		return ""
	}
	meant := ""
	for range maxOffered {
		if to.Less(from) {
			return ""
		}
		p := widest(from, to)
		meant += " " + short(p)
		if last(p) == to {
			return meant[1:]
		}
		from = last(p).Next()
	}
	return ""
}

// widest is the widest network that begins with from and ends at to or before.
func widest(from, to netip.Addr) netip.Prefix {
	p := netip.PrefixFrom(from, from.BitLen())
	for p.Bits() > 0 {
		wider := netip.PrefixFrom(from, p.Bits()-1)
		if wider != wider.Masked() || to.Less(last(wider)) {
			break
		}
		p = wider
	}
	return p
}

// last is the last address of a network.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}

// number reads a plain decimal number from 0 to most.
func number(s string, most int) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && n <= most && s == strconv.Itoa(n)
}
