package loglines

import (
	"strconv"
	"time"
)

// Labels of TAI64N, which multilog and s6-log put before each line: @, 16 hexadecimal digits of the
// second, 8 of the nanosecond (cr.yp.to/libtai/tai64.html).

// tai1970 is the label of the first second of 1970, as daemontools has it. s6-log counts the leap
// seconds since then, too: its times are half a minute late.
const tai1970 = 1<<62 + 10

// cutTAI cuts the label and the blank behind it.
func cutTAI(text string) (at time.Time, rest string, ok bool) {
	const label = len("@4000000000000000aaaaaaaa")
	if len(text) <= label || text[label] != ' ' {
		return at, "", false
	}
	second, err := strconv.ParseUint(text[1:label-8], 16, 64)
	nano, err2 := strconv.ParseUint(text[label-8:label], 16, 32)
	ok = err == nil && err2 == nil && second-tai1970 < 1<<36 && nano < 1e9
	return time.Unix(int64(second-tai1970), int64(nano)), text[label+1:], ok
}

// parseTAI reads a line that `log stderr` has written, without a host.
func (p *parser) parseTAI(text string) class {
	at, text, ok := cutTAI(text)
	if !ok {
		return unreadable
	}
	message, ok := cutTag(text)
	if !ok {
		return foreign
	}
	return p.parseOurs(at, message)
}
