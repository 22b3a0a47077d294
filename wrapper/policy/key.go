package policy

import "net/netip"

// key is an address as a number. Keys of one family can be compared with each other.
type key struct{ hi, lo uint64 }

func (k key) less(than key) bool { return k.hi < than.hi || k.hi == than.hi && k.lo < than.lo }

// before is the key before k, which must not be zero.
func (k key) before() key {
	if k.lo == 0 {
		k.hi--
	}
	k.lo--
	return k
}

func keyOf(a netip.Addr) key {
	if a.Is4() {
		b := a.As4()
		return key{lo: uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])}
	}
	hi, lo := halves(a.As16())
	return key{hi, lo}
}

// halves are the numbers that an address is, high and low.
func halves(b [16]byte) (hi, lo uint64) {
	for i := range 8 {
		hi, lo = hi<<8|uint64(b[i]), lo<<8|uint64(b[8+i])
	}
	return hi, lo
}

// joined is the address of these halves.
func joined(hi, lo uint64) (b [16]byte) {
	for i := range 8 {
		b[i], b[8+i] = byte(hi>>(56-8*i)), byte(lo>>(56-8*i))
	}
	return b
}

// addr is the address of a key.
func (f family) addr(k key) netip.Addr {
	if f == v4 {
		return netip.AddrFrom4([4]byte{
			byte(k.lo >> 24), byte(k.lo >> 16), byte(k.lo >> 8), byte(k.lo)})
	}
	return netip.AddrFrom16(joined(k.hi, k.lo))
}

// last is the last address of the family.
func (f family) last() key {
	if f == v4 {
		return key{lo: 1<<32 - 1}
	}
	return key{^uint64(0), ^uint64(0)}
}

// key is that of the entry of a page at these bytes.
func (f family) key(b []byte) key {
	if f == v4 {
		return key{lo: uint64(get32(b))}
	}
	return key{get64(b), get64(b[8:])}
}

func (f family) putKey(b []byte, k key) {
	if f == v4 {
		put32(b, uint32(k.lo))
		return
	}
	put64(b, k.hi)
	put64(b[8:], k.lo)
}
