package loglines

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Line is one of our lines. Its strings are parts of the line, and valid until the next.
type Line struct {
	Time  time.Time
	Level Level
	Word  string // the verdict, or another word of sendwrap(8); "" for a line in words
	Text  string // the line in words
	Whole string // all that stands behind our name
	pairs []pair
}

// Level is how serious a line is, where the log says so.
type Level uint8

// The levels that sendwrap(8) names. A file of syslogd mostly has none.
const (
	LevelUnknown Level = iota
	LevelErr
	LevelWarning
	LevelInfo
)

type pair struct {
	key, value string
	quoted     bool // value is as it stands between the quotes
}

// parseText reads what stands behind `sendwrap[PID]: `. It reports false for a line that begins as
// one with keys and does not go on so: it was cut, or two lines are one.
func (l *Line) parseText(text string) (ok bool) {
	l.Word, l.Text, l.Whole, l.pairs = "", "", text, l.pairs[:0]
	word, rest, _ := strings.Cut(text, " ")
	if !isWord(word) {
		l.Text = text
		return true
	}
	for rest != "" {
		var p pair
		if p, rest, ok = cutPair(rest); !ok {
			if l.Text = text; len(l.pairs) > 0 || isOurs(word) {
				return false
			}
			return true // words that begin with a capital
		}
		if p.key == "client" && l.Has("client") {
			return false
		}
		l.pairs = append(l.pairs, p)
	}
	l.Word = word
	return true
}

// isWord reports whether a line with keys may begin so.
func isWord(word string) bool {
	for i := range len(word) {
		if c := word[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9' || i == 0) {
			return false
		}
	}
	return len(word) > 1
}

// cutPair cuts the first key=value from text, with the blank behind it. A quoted value without its
// end was cut by syslogd: then it is the last.
func cutPair(text string) (p pair, rest string, ok bool) {
	n := 0
	for n < len(text) && isKeyByte(text[n], n > 0) {
		n++
	}
	if n == 0 || n == len(text) || text[n] != '=' {
		return p, "", false
	}
	p.key, text = text[:n], text[n+1:]
	if !strings.HasPrefix(text, `"`) {
		p.value, rest, _ = strings.Cut(text, " ")
		return p, rest, !strings.Contains(p.value, `"`)
	}
	p.quoted = true
	end := 1
	for end < len(text) && text[end] != '"' {
		if text[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(text) {
		p.value = text[1:]
		return p, "", true
	}
	p.value, text = text[1:end], text[end+1:]
	if text == "" {
		return p, "", true
	}
	return p, text[1:], text[0] == ' ' && len(text) > 1
}

func isKeyByte(c byte, later bool) bool {
	return c >= 'a' && c <= 'z' || later && (c == '_' || c >= '0' && c <= '9')
}

// Has says whether the line has a value of that key.
func (l *Line) Has(key string) bool { return l.Get(key) != "" }

// Get returns a value, as it stands in the line; "" if there is none.
func (l *Line) Get(key string) string {
	for i := range l.pairs {
		if l.pairs[i].key == key {
			return l.pairs[i].value
		}
	}
	return ""
}

// Client returns the client's address; ok is false if there is none.
func (l *Line) Client() (addr netip.Addr, ok bool) {
	text, found := strings.CutPrefix(l.Get("client"), "[")
	end := strings.LastIndexByte(text, ']')
	if !found || end < 0 {
		return addr, false
	}
	addr, err := netip.ParseAddr(text[:end])
	return addr.Unmap(), err == nil && addr.Zone() == ""
}

// ClientPort returns the client's address and port; ok is false if there are none.
func (l *Line) ClientPort() (c netip.AddrPort, ok bool) {
	addr, ok := l.Client()
	value := l.Get("client")
	port, err := strconv.ParseUint(value[strings.LastIndexByte(value, ':')+1:], 10, 16)
	return netip.AddrPortFrom(addr, uint16(port)), ok && err == nil
}

// Network returns a value that is a network; ok is false if there is none.
func (l *Line) Network() (n netip.Prefix, ok bool) {
	n, err := netip.ParsePrefix(l.Get("network"))
	return n, err == nil
}

// Duration returns a value that is a time, as left=59m12s.
func (l *Line) Duration(key string) (d time.Duration, ok bool) {
	d, err := time.ParseDuration(l.Get(key))
	return d, err == nil && d >= 0
}

// DurationOf returns both parts of a value such as wait=0.02s/6s.
func (l *Line) DurationOf(key string) (d, of time.Duration, ok bool) {
	part, whole, found := strings.Cut(l.Get(key), "/")
	d, err := time.ParseDuration(part)
	of, err2 := time.ParseDuration(whole)
	return d, of, found && err == nil && err2 == nil && d >= 0 && of >= 0
}

// IntOf returns both parts of a value such as serving=3/50.
func (l *Line) IntOf(key string) (n, of int, ok bool) {
	part, whole, found := strings.Cut(l.Get(key), "/")
	n, err := strconv.Atoi(part)
	of, err2 := strconv.Atoi(whole)
	return n, of, found && err == nil && err2 == nil && n >= 0 && of >= 0
}

// Int returns a value that is a number, or the first part of one such as conns=3/50.
func (l *Line) Int(key string) int {
	part, _, _ := strings.Cut(l.Get(key), "/")
	n, err := strconv.Atoi(part)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
