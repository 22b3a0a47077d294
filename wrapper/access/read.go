package access

import (
	"fmt"
	"strings"
)

const (
	maxLine   = 1022 // bytes, without the end of the line: makemap's
	shortLine = 12   // bytes; shorter ones hardly say anything
	maxNotes  = 1000 // of each kind; the administrator corrects these first

	blanks = " \t\v\f\r" // isspace(3), without what ends a line
)

// reader reads a map line by line.
type reader struct {
	Map
	ranks  []uint8      // of the entries
	bare   [Tags]*Entry // whose key is the tag alone
	values [Tags]map[string]valueRead
	more   [2]Note // what is beyond maxNotes, of Mistakes and Notes: Line is how many
	line   int
}

// Read reads a map. Wrong lines are skipped, and noted.
func Read(text string) *Map {
	var r reader
	r.entries = make([]Entry, 0, min(strings.Count(text, "\n"), len(text)/shortLine)+1)
	for tag := range Tags {
		r.names[tag], r.networks[tag] = map[string]int32{}, map[place]int32{}
		r.values[tag] = map[string]valueRead{}
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		r.Mistakes = []Note{binary(text, i)}
		return &r.Map
	}
	if strings.HasPrefix(text, "\ufeff") {
		r.line = 1
		r.note("begins with a byte order mark, which makemap takes for a part of the first key",
			"save the text without it")
		_, text, _ = strings.Cut(text, "\n") // so that key never matches
	}
	for text != "" {
		var s string
		s, text, _ = strings.Cut(text, "\n")
		r.line++
		r.read(s)
	}
	r.spreadBare()
	for i, notes := range []*[]Note{&r.Mistakes, &r.Notes} {
		if n := r.more[i]; n.Line > 0 {
			n.Line, n.Msg, n.Hint = 0, fmt.Sprintf("%d more lines", n.Line), "correct these first"
			*notes = append(*notes, n)
		}
	}
	return &r.Map
}

func isBlank(r rune) bool { return strings.ContainsRune(blanks, r) }

// lower is s in lower case as makemap and sendmail have it: they know only the letters of ASCII.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

// binary says what a file with a NUL byte at i is. Nothing of it is known.
func binary(text string, i int) Note {
	const magic = 12 // where a file of Berkeley DB has it
	if len(text) >= magic+4 {
		switch text[magic : magic+4] {
		case "\x61\x15\x06\x00", "\x62\x31\x05\x00", "\x00\x06\x15\x61", "\x00\x05\x31\x62":
			return Note{
				Msg:    "is a database, not the text from which makemap made it",
				Hint:   "name the text, or write it: makemap -u hash FILE.db >TEXT",
				LetsIn: true,
			}
		}
	}
	return Note{1 + strings.Count(text[:i], "\n"), "NUL byte", "name a text file", true}
}

func (r *reader) mistake(l line, msg, hint string) {
	r.remark(0, &r.Mistakes, Note{r.line, msg, hint, l.letsIn()})
}

func (r *reader) note(msg, hint string) { r.remark(1, &r.Notes, Note{r.line, msg, hint, false}) }

func (r *reader) remark(i int, to *[]Note, n Note) {
	if more := &r.more[i]; len(*to) == maxNotes {
		more.Line++
		more.LetsIn = more.LetsIn || n.LetsIn
		return
	}
	*to = append(*to, n)
}

// read reads a line as makemap splits it.
func (r *reader) read(s string) {
	if s == "" || s[0] == '#' {
		return
	}
	rest := strings.TrimLeft(s, blanks)
	switch {
	case rest == "":
		return
	case len(s) > maxLine:
		r.note(fmt.Sprintf("more than %d bytes: makemap skips it", maxLine),
			"write a shorter text")
		return
	case len(rest) < len(s):
		if rest[0] != '#' {
			r.note("begins with a blank: makemap skips it", "remove the blank")
		}
		return
	}
	key, value := s, ""
	if i := strings.IndexAny(s, blanks); i >= 0 {
		key, value = s[:i], strings.TrimLeft(s[i:], blanks)
	}
	tag, subject, tagged, ours := r.split(key)
	if !ours {
		return
	}
	if value == "" {
		r.note(quoted(key)+" without a value: makemap skips it",
			"write OK, REJECT or a number after it")
		return
	}
	r.enter(line{tag, tagged, subject, key, strings.TrimRight(value, blanks)})
}
