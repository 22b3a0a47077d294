package loglines

import (
	"strconv"
	"strings"
	"time"
)

// class says what a line of a log is.
type class uint8

const (
	foreign    class = iota // another program's
	ours                    // ours
	garbled                 // ours, but cut, or two in one
	unreadable              // no line of a log at all
)

// parser reads the lines of one log, in their order.
type parser struct {
	years years
	line  Line
}

// parse reads a line of syslogd's file, in any of its forms, of multilog, or of `journalctl -o
// json`. If it is ours, p.line has it.
func (p *parser) parse(text string) class {
	p.line.Level = LevelUnknown
	switch {
	case strings.HasPrefix(text, "{"):
		return p.parseJournal(text)
	case strings.HasPrefix(text, "@"):
		return p.parseTAI(text)
	}
	rest := text
	if strings.HasPrefix(rest, "<") { // the priority, which only some templates write
		number, after, ok := strings.Cut(rest[1:], ">")
		priority, err := strconv.ParseUint(number, 10, 8)
		if !ok || err != nil || priority > 191 {
			return unreadable
		}
		p.line.Level = levelOf(int(priority & 7))
		if after, ok := strings.CutPrefix(after, "1 "); ok {
			return p.parse5424(after)
		}
		rest = after
	}
	at, rest, ok := p.cutTime(rest)
	if !ok {
		return unreadable
	}
	_, rest, ok = strings.Cut(rest, " ") // the host
	if !ok {
		return unreadable
	}
	if facility, after, _ := strings.Cut(rest, " "); isFacility(facility) { // as busybox writes
		rest = after
	}
	message, ok := cutTag(rest)
	if !ok {
		return foreign
	}
	return p.parseOurs(at(), message)
}

// cutTag cuts our tag, as sendwrap[4242]:, and the blank behind it.
func cutTag(text string) (message string, ok bool) {
	tag, message, _ := strings.Cut(text, " ")
	pid, begins := strings.CutPrefix(tag, "sendwrap[")
	pid, ends := strings.CutSuffix(pid, "]:")
	return message, begins && ends && isNumber(pid)
}

// parse5424 reads what stands behind the version of a line of RFC 5424 §6: time, host, name,
// process, message id, structured data, text.
func (p *parser) parse5424(text string) class {
	var fields [5]string
	for i := range fields {
		var ok bool
		if fields[i], text, ok = strings.Cut(text, " "); !ok || fields[i] == "" {
			return unreadable
		}
	}
	at, err := time.Parse(time.RFC3339Nano, fields[0])
	if err != nil && fields[0] != "-" {
		return unreadable
	}
	if fields[2] != "sendwrap" || !isNumber(fields[3]) {
		return foreign
	}
	text, ok := cutStructured(text)
	if !ok || err != nil {
		return garbled
	}
	text = strings.TrimPrefix(strings.TrimPrefix(text, " "), "\ufeff")
	return p.parseOurs(at, strings.TrimPrefix(text, " "))
}

// cutStructured cuts the structured data of RFC 5424 §6.3: "-", or elements in brackets, whose
// quoted values may have any text.
func cutStructured(text string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(text, "-"); ok {
		return rest, true
	}
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ']' && !quoted && (i+1 == len(text) || text[i+1] == ' '):
			return text[i+1:], text[0] == '['
		}
	}
	return "", false
}

// parseOurs reads the text of a line of ours. One that is not printable ASCII is none of maillog's,
// and could send commands to the terminal on which a report is read.
func (p *parser) parseOurs(at time.Time, text string) class {
	p.line.Time = at
	if !isPrintable(text) || !p.line.parseText(text) {
		return garbled
	}
	return ours
}

func isPrintable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// cutTime cuts the time and the blank behind it: of RFC 3164 §4.1.2, which has no year, or of RFC
// 3339, which rsyslog writes by default since Debian 12. at says when it was; only lines of ours
// ask for that.
func (p *parser) cutTime(text string) (at func() time.Time, rest string, ok bool) {
	if len(text) > 16 && text[0] >= 'A' && text[15] == ' ' {
		stamp, ok := parseStamp(text[:15])
		return func() time.Time { return p.years.time(stamp) }, text[16:], ok
	}
	word, rest, ok := strings.Cut(text, " ")
	if !ok || len(word) < 19 || word[4] != '-' || word[10] != 'T' {
		return nil, "", false
	}
	t, err := time.Parse(time.RFC3339Nano, word)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05-0700", word) // journalctl -o short-iso
	}
	return func() time.Time { return t }, rest, err == nil
}

func levelOf(severity int) Level {
	switch {
	case severity <= 3:
		return LevelErr
	case severity == 4:
		return LevelWarning
	}
	return LevelInfo
}

// isFacility reports whether a word is as mail.info.
func isFacility(word string) bool {
	facility, level, ok := strings.Cut(word, ".")
	return ok && isLower(facility) && isLower(level)
}

func isLower(word string) bool {
	for i := range len(word) {
		if word[i] < 'a' || word[i] > 'z' {
			return false
		}
	}
	return word != ""
}

func isNumber(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != "" && len(text) < 11
}
