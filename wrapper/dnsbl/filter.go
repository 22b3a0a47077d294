package dnsbl

import (
	"net/netip"
	"strconv"
)

// CheckFilter says what is wrong with a filter, and what to write instead.
//
// A filter is postscreen's pattern: four fields with dots between them. A field is a number from
// 0 to 255, or in brackets several numbers and ranges: 127.0.[0..255].[1;3;5..7]. Brackets around
// the whole are allowed, too.
func CheckFilter(filter string) error {
	_, err := match(filter, [4]byte{})
	return err
}

// Fits reports whether the filter fits the address. No filter, "", fits any address that
// [Counts]. A wrong filter fits none.
func Fits(filter string, a netip.Addr) bool {
	if !Counts(a) {
		return false
	}
	if filter == "" {
		return true
	}
	fits, err := match(filter, a.As4())
	return fits && err == nil
}

// match reads the whole filter, and says whether the octets fit it.
func match(filter string, octets [4]byte) (fits bool, err error) {
	p := pattern{text: filter, end: len(filter)}
	if p.isBracketed() {
		p.at, p.end = 1, p.end-1
	}
	if p.at == p.end {
		return false, &Error{"the filter is empty",
			"write four fields, like 127.0.0.[2..11], or leave the = out"}
	}
	fits = true
	for i, octet := range octets {
		if i > 0 && !p.skip('.') {
			return false, p.wrong("a dot and the next of four fields")
		}
		ok, err := p.field(octet)
		if err != nil {
			return false, err
		}
		fits = fits && ok
	}
	if p.at < p.end {
		return false, p.wrong("nothing after the fourth field")
	}
	return fits, nil
}

// pattern is a filter that is being read.
type pattern struct {
	text    string
	at, end int // what is read next, and where the fields end
}

// isBracketed reports whether the first byte is a bracket that the last byte closes.
func (p *pattern) isBracketed() bool {
	level := 0
	for i := range p.end {
		switch p.text[i] {
		case '[':
			level++
		case ']':
			level--
		}
		if level == 0 {
			return i > 0 && i == p.end-1
		}
	}
	return false
}

// skip passes the byte if it comes next.
func (p *pattern) skip(c byte) bool {
	if p.at == p.end || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}

// field reads one field, and says whether it fits the octet.
func (p *pattern) field(octet byte) (fits bool, err error) {
	if !p.skip('[') {
		n, ok := p.number()
		if !ok {
			return false, p.wrong("a number from 0 to 255, or several in brackets, like [2..11]")
		}
		return n == octet, nil
	}
	for {
		from, to, err := p.span()
		if err != nil {
			return false, err
		}
		fits = fits || from <= octet && octet <= to
		if p.skip(']') {
			return fits, nil
		}
		if !p.skip(';') {
			return false, p.wrong(`";" or "]", or a range, like 2..11`)
		}
	}
}

// span reads a number or a range.
func (p *pattern) span() (from, to byte, err error) {
	from, ok := p.number()
	if !ok {
		return 0, 0, p.wrong("a number from 0 to 255")
	}
	if !p.skip('.') {
		return from, from, nil
	}
	if !p.skip('.') {
		return 0, 0, p.wrong("a second dot, as in 2..11")
	}
	second := p.at
	to, ok = p.number()
	if ok && from > to {
		p.at, ok = second, false
	}
	if !ok {
		return 0, 0, p.wrong("a number from " + strconv.Itoa(int(from)) + " to 255")
	}
	return from, to, nil
}

// number reads a decimal number from 0 to 255. If there is none it stays where it is.
func (p *pattern) number() (n byte, ok bool) {
	value, i := 0, p.at
	for i < p.end && isDigit(p.text[i]) {
		value = value*10 + int(p.text[i]-'0')
		if value > 255 {
			return 0, false
		}
		i++
	}
	if i == p.at {
		return 0, false
	}
	p.at = i
	return byte(value), true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// wrong is the error that something else comes next than wanted.
func (p *pattern) wrong(wanted string) error {
	found, where := "it ends", "at its beginning"
	if p.at < len(p.text) {
		found = strconv.Quote(p.text[p.at:])
	}
	if p.at > 0 {
		where = "after " + strconv.Quote(p.text[:p.at])
	}
	return &Error{"filter " + strconv.Quote(p.text) + ": " + found + " " + where, "write " + wanted}
}
