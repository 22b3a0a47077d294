package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sendwrap/wrapper/loglines"
)

// Origins says of which autonomous system an address is.
type Origins struct {
	ranges []originRange // disjoint, in order
	names  map[uint32]string
}

type originRange struct {
	first, last netip.Addr
	as          uint32 // 0 is none
}

// maxOrigins bounds a file: all that is announced in 2026 is 1.3 million prefixes.
const maxOrigins = 4 << 20

// ReadOrigins reads lines `PREFIX ASN [NAME]`, or `START END ASN COUNTRY NAME` with tabs between,
// as iptoasn.com has them; the first kind of line decides. Of networks within each other the
// smallest holds. The error names the first wrong line.
func ReadOrigins(r io.Reader) (*Origins, error) {
	o := &Origins{names: map[uint32]string{}}
	unpacked, err := loglines.Unpack(r)
	if err != nil {
		return nil, err
	}
	in := bufio.NewScanner(unpacked)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(o.ranges) >= maxOrigins {
			return nil, fmt.Errorf("line %d: more than %d networks", n, maxOrigins)
		}
		if !o.addLine(line) {
			return nil, fmt.Errorf(
				"line %d: not an AS; write PREFIX ASN [NAME], or START END ASN COUNTRY NAME", n)
		}
	}
	o.ranges = disjoint(o.ranges)
	return o, in.Err()
}

func (o *Origins) addLine(line string) (ok bool) {
	var r originRange
	var number, name string
	if first, rest, tabs := strings.Cut(line, "\t"); tabs && !strings.Contains(first, "/") {
		fields := strings.SplitN(rest, "\t", 4)
		if len(fields) < 2 {
			return false
		}
		var err, err2 error
		r.first, err = netip.ParseAddr(first)
		r.last, err2 = netip.ParseAddr(fields[0])
		if err != nil || err2 != nil || r.first.BitLen() != r.last.BitLen() ||
			r.last.Less(r.first) {
			return false
		}
		if number = fields[1]; len(fields) == 4 {
			name = fields[3]
		}
	} else {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			return false
		}
		p, err := netip.ParsePrefix(fields[0])
		if err != nil {
			return false
		}
		r.first, r.last = p.Masked().Addr(), lastOf(p)
		number, name = fields[1], strings.Join(fields[2:], " ")
	}
	as, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(number), "AS"), 10, 32)
	if err != nil {
		return false
	}
	r.as = uint32(as)
	o.ranges = append(o.ranges, r)
	if _, found := o.names[r.as]; !found && as != 0 {
		o.names[r.as] = strings.Clone(name)
	}
	return true
}

// lastOf is the last address of a network.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// disjoint cuts ranges that contain others into what lies between these.
func disjoint(list []originRange) (cut []originRange) {
	slices.SortStableFunc(list, func(a, b originRange) int {
		return cmp.Or(a.first.Compare(b.first), b.last.Compare(a.last))
	})
	var open []originRange // each within the one before
	put := func(first, last netip.Addr, as uint32) {
		if !last.Less(first) {
			cut = append(cut, originRange{first, last, as})
		}
	}
	var next netip.Addr // where the part of the innermost begins that is not yet in cut
	end := func(before netip.Addr) {
		for len(open) > 0 {
			inner := open[len(open)-1]
			if before.IsValid() && !inner.last.Less(before) {
				break
			}
			if next.IsValid() {
				put(next, inner.last, inner.as)
			}
			next = inner.last.Next()
			open = open[:len(open)-1]
		}
	}
	for _, r := range list {
		end(r.first)
		if len(open) > 0 && next.IsValid() && next.Less(r.first) {
			put(next, r.first.Prev(), open[len(open)-1].as)
		}
		if len(open) > 0 && open[len(open)-1].last.Less(r.last) {
			r.last = open[len(open)-1].last // half outside: no file of networks has that
		}
		next = r.first
		open = append(open, r)
	}
	end(netip.Addr{})
	return cut
}

// find is the AS of an address; 0 if the file has none.
func (o *Origins) find(a netip.Addr) uint32 {
	i, found := slices.BinarySearchFunc(o.ranges, a, func(r originRange, a netip.Addr) int {
		return r.first.Compare(a)
	})
	if !found {
		i--
	}
	if i < 0 || o.ranges[i].last.Less(a) || o.ranges[i].last.BitLen() != a.BitLen() {
		return 0
	}
	return o.ranges[i].as
}

// name is how a report calls an AS.
func (o *Origins) name(as uint32) string {
	if as == 0 {
		return "unknown"
	}
	return strings.TrimRight("AS"+strconv.FormatUint(uint64(as), 10)+" "+o.names[as], " ")
}
