package dnsbl

import "net/netip"

// Name is what is asked about an address, for records of type A: the bytes of an IPv4 address in
// reverse order, or the nibbles of an IPv6 address, and the zone (RFC 5782 §2.1 and §2.4).
func Name(addr netip.Addr, zone string) string {
	if addr = addr.Unmap(); addr.Is4() {
		return reversedBytes(addr.As4(), zone)
	}
	return reversedNibbles(addr.As16(), zone)
}

func reversedBytes(b [4]byte, zone string) string {
	name := make([]byte, 0, len("255.255.255.255.")+len(zone))
	for i := len(b) - 1; i >= 0; i-- {
		name = append(appendByte(name, b[i]), '.')
	}
	return string(append(name, zone...))
}

func appendByte(text []byte, b byte) []byte {
	if b >= 100 {
		text = append(text, '0'+b/100)
	}
	if b >= 10 {
		text = append(text, '0'+b/10%10)
	}
	return append(text, '0'+b%10)
}

func reversedNibbles(b [16]byte, zone string) string {
	const hex = "0123456789abcdef"
	name := make([]byte, 0, reversedIPv6+len(zone))
	for i := len(b) - 1; i >= 0; i-- {
		name = append(name, hex[b[i]&15], '.', hex[b[i]>>4], '.')
	}
	return string(append(name, zone...))
}

// reversedIPv6 is how many bytes stand before the zone if an IPv6 address is asked about.
const reversedIPv6 = 32 * len("f.")

// The addresses by which a list is tested: it must list the one and not the other (RFC 5782 §5).
var (
	TestListed    = netip.AddrFrom4([4]byte{127, 0, 0, 2})
	TestNotListed = netip.AddrFrom4([4]byte{127, 0, 0, 1})
)
