package maillog

import (
	"net/netip"
	"strconv"
	"time"
)

// MaxData is how many bytes of a client's text a line shows at most.
const MaxData = 100

// Line is the text of a line: a word, then key=value pairs. Each method appends one pair and
// returns the line. There are blanks only between pairs and inside quotes.
type Line struct{ text []byte }

// NewLine begins a line with word.
func NewLine(word string) *Line {
	// One allocation for all but the longest lines.
	return &Line{append(make([]byte, 0, 512), word...)}
}

// String returns the text.
func (l *Line) String() string { return string(l.text) }

// Addr adds an address and port, as client=[192.0.2.9]:51544.
func (l *Line) Addr(key string, a netip.AddrPort) *Line {
	l.key(key)
	l.text = append(l.text, '[')
	l.text = a.Addr().AppendTo(l.text)
	l.text = append(l.text, "]:"...)
	l.text = strconv.AppendUint(l.text, uint64(a.Port()), 10)
	return l
}

// Str adds one of our own words without quotes, as reason=strikes. Blanks, quotes and what is not
// printable ASCII become \xNN. An empty value becomes "-".
func (l *Line) Str(key, value string) *Line {
	l.key(key)
	if value == "" {
		value = "-"
	}
	for i := range len(value) {
		l.text = appendBare(l.text, value[i])
	}
	return l
}

// Int adds a number, as bytes=10.
func (l *Line) Int(key string, n int) *Line {
	l.key(key)
	l.int(n)
	return l
}

// IntOf adds a number and its limit, as conns=3/50, or conns=3/- if limit is 0.
func (l *Line) IntOf(key string, n, limit int) *Line {
	l.Int(key, n)
	l.text = append(l.text, '/')
	if limit == 0 {
		l.text = append(l.text, '-')
	} else {
		l.int(limit)
	}
	return l
}

// FloatOf adds a number with two decimals, and its limit, as load=13.20/12.
func (l *Line) FloatOf(key string, x, limit float64) *Line {
	l.key(key)
	l.text = strconv.AppendFloat(l.text, x, 'f', 2, 64)
	l.text = append(l.text, '/')
	l.text = strconv.AppendFloat(l.text, limit, 'f', -1, 64)
	return l
}

// Dur adds a duration, as left=59m12s. Below 10 s it has hundredths of a second (0.02s), unless it
// is a whole number of seconds; from 10 s on it has whole seconds. It is never rounded up. Less
// than a hundredth is 0s.
func (l *Line) Dur(key string, d time.Duration) *Line {
	l.key(key)
	l.text = appendDuration(l.text, d)
	return l
}

// DurOf adds a duration and its limit, as wait=0.02s/6s.
func (l *Line) DurOf(key string, d, limit time.Duration) *Line {
	l.Dur(key, d)
	l.text = appendDuration(append(l.text, '/'), limit)
	return l
}

// Quote adds one of our own texts in quotes, as error="no such file". strconv.Unquote can read it.
func (l *Line) Quote(key, text string) *Line {
	l.key(key)
	l.text = append(l.text, '"')
	for i := range len(text) {
		l.text = appendEscaped(l.text, text[i])
	}
	l.text = append(l.text, '"')
	return l
}

// Data adds the first [MaxData] bytes of a client's text in quotes, as data="EHLO bot\r\n".
// strconv.Unquote can read them.
func (l *Line) Data(key string, text []byte) *Line {
	return l.Quote(key, string(text[:min(len(text), MaxData)]))
}

func (l *Line) key(key string) {
	l.text = append(append(append(l.text, ' '), key...), '=')
}

func (l *Line) int(n int) { l.text = strconv.AppendInt(l.text, int64(n), 10) }

// appendDuration appends d as 0.02s, 6s, 59m12s or 1h30m.
func appendDuration(dst []byte, d time.Duration) []byte {
	hundredths := int64(max(d, 0) / (10 * time.Millisecond))
	if 0 < hundredths && d < 10*time.Second && d%time.Second != 0 {
		dst = strconv.AppendInt(dst, hundredths/100, 10)
		return append(dst, '.', byte('0'+hundredths/10%10), byte('0'+hundredths%10), 's')
	}
	if d = d.Truncate(time.Second); d <= 0 {
		return append(dst, "0s"...)
	}
	for _, unit := range [...]struct {
		size time.Duration
		name byte
	}{{time.Hour, 'h'}, {time.Minute, 'm'}, {time.Second, 's'}} {
		if n := d / unit.size; n > 0 {
			dst = append(strconv.AppendInt(dst, int64(n), 10), unit.name)
		}
		d %= unit.size
	}
	return dst
}
