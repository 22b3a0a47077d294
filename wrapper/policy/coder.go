package policy

import (
	"math"
	"net/netip"
)

// coder writes values one after the other, or reads them back in the same order: one list of fields
// does both, so neither can forget one. A value that is out of its bounds is a failure of both.
type coder struct {
	reading bool
	text    string // still to be read; texts that are read are parts of it
	written []byte
	failed  bool
}

// word codes 64 bits.
func (c *coder) word(v *uint64) {
	if !c.reading {
		c.written = append(c.written, 0, 0, 0, 0, 0, 0, 0, 0)
		put64(c.written[len(c.written)-8:], *v)
		return
	}
	b := c.bytes(8)
	if c.failed {
		return
	}
	*v = 0
	for i := range 8 {
		*v |= uint64(b[i]) << (8 * i)
	}
}

// bytes reads n bytes.
func (c *coder) bytes(n uint64) string {
	if c.failed || n > uint64(len(c.text)) {
		c.failed = true
		return ""
	}
	b := c.text[:n]
	c.text = c.text[n:]
	return b
}

// number codes a value from 0 to most.
func number[T ~int | ~int64 | ~uint8 | ~uint16 | ~uintptr](c *coder, v *T, most int64) {
	w := uint64(int64(*v))
	if !c.reading && w > uint64(most) { // a negative one is more than any
		c.failed = true
	}
	c.word(&w)
	if w > uint64(most) {
		c.failed = true
	}
	if c.reading && !c.failed {
		*v = T(w)
	}
}

func (c *coder) flag(v *bool) {
	n := 0
	if *v {
		n = 1
	}
	number(c, &n, 1)
	*v = n == 1
}

// float codes a number from 0 to most.
func (c *coder) float(v *float64, most float64) {
	w := math.Float64bits(*v)
	c.word(&w)
	f := math.Float64frombits(w)
	if !(f >= 0 && f <= most) { // NaN is neither
		c.failed = true
		return
	}
	*v = f
}

func (c *coder) string(v *string) {
	n := int64(len(*v))
	number(c, &n, maxTexts)
	if !c.reading {
		c.written = append(c.written, *v...)
	} else if text := c.bytes(uint64(n)); !c.failed {
		*v = text
	}
}

// length codes the number of elements of a list, each of which takes at least each bytes. A list of
// none is nil.
func (c *coder) length(n, each int) int {
	number(c, &n, maxTexts)
	if c.reading && (c.failed || n > len(c.text)/each) {
		c.failed = true
		return 0
	}
	return n
}

func (c *coder) strings(v *[]string) {
	n := c.length(len(*v), 8)
	if c.reading {
		*v = nil
		if n > 0 {
			*v = make([]string, n)
		}
	}
	for i := range *v {
		c.string(&(*v)[i])
	}
}

func (c *coder) prefixes(v *[]netip.Prefix) {
	n := c.length(len(*v), 24)
	if c.reading {
		*v = nil
		if n > 0 {
			*v = make([]netip.Prefix, n)
		}
	}
	for i := range *v {
		c.prefix(&(*v)[i])
	}
}

// prefix codes an IPv6 network without host bits.
func (c *coder) prefix(v *netip.Prefix) {
	var hi, lo uint64
	if !c.reading {
		hi, lo = halves(v.Addr().As16())
		c.failed = c.failed || v.Addr().Is4()
	}
	bits := v.Bits()
	c.word(&hi)
	c.word(&lo)
	number(c, &bits, 128)
	if c.failed || !c.reading {
		return
	}
	*v = netip.PrefixFrom(netip.AddrFrom16(joined(hi, lo)), bits)
	c.failed = *v != v.Masked()
}

// addrPorts codes addresses as their text, since they can have the name of an interface.
func (c *coder) addrPorts(v *[]netip.AddrPort) {
	n := c.length(len(*v), 8)
	if c.reading {
		*v = nil
		if n > 0 {
			*v = make([]netip.AddrPort, n)
		}
	}
	for i := range *v {
		text := ""
		if !c.reading {
			text = (*v)[i].String()
		}
		c.string(&text)
		a, err := netip.ParseAddrPort(text)
		if err != nil {
			c.failed = true
			return
		}
		(*v)[i] = a
	}
}
