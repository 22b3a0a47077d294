package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// words cuts a line into its words, in place: only a quoted word with a backslash in it
// is a copy.
type words struct {
	rest string // not looked at yet
	word string // found last
	err  error  // why next ended before the line did
}

// next finds the next word, and reports whether there was one.
func (w *words) next() bool {
	s := w.rest
	i := 0
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	if i == len(s) || s[i] == '#' {
		w.rest = ""
		return false
	}
	if s[i] == '"' {
		return w.quoted(s[i+1:])
	}
	start, all := i, byte(0)
	for i < len(s) && s[i] > ' ' && s[i] != '"' {
		all |= s[i]
		i++
	}
	if i < len(s) && s[i] == '"' {
		return w.fail(wrong(`write "..." around the whole word`, `quote inside the word %s`, quoted(s[start:i+1])))
	}
	if i < len(s) && !isBlank(s[i]) {
		return w.fail(wrong("remove it", "control character %q", s[i]))
	}
	w.word, w.rest = s[start:i], s[i:]
	if all >= utf8.RuneSelf {
		if odd, instead := oddBlank(w.word); odd != "" {
			return w.fail(wrong(instead+`, or "..." around the word if it is meant`,
				"%s in %s", odd, quoted(w.word)))
		}
	}
	if w.word[len(w.word)-1] == '\\' && strings.Trim(w.rest, " \t") == "" {
		return w.fail(wrong(`write all of it on one line, or "\\" if a backslash is meant`,
			"backslash at the end of a line, which does not go on"))
	}
	return true
}

// oddBlank names the first character of a word that looks like a blank, or like nothing, and is
// neither; "" if there is none. Editors and web pages make them: U+00A0 above all, which is the
// byte A0 in a file that is not UTF-8.
func oddBlank(word string) (odd, instead string) {
	const blank = "write a plain blank"
	for i, r := range word {
		switch {
		case r == 0xa0, r == utf8.RuneError && word[i] == 0xa0:
			return "no-break space", blank
		case unicode.IsSpace(r):
			return fmt.Sprintf("another blank (%U)", r), blank
		case unicode.Is(unicode.Cf, r):
			return fmt.Sprintf("invisible character (%U)", r), "remove it"
		}
	}
	return "", ""
}

// bare says whether a word is found again as it is, without quotes.
func bare(word string) bool {
	odd, _ := oddBlank(word)
	return word != "" && word[0] != '#' && !strings.ContainsAny(word, " \t\"") &&
		!strings.HasSuffix(word, `\`) && odd == ""
}

// quoted finds a word that began with a quote; s is what follows.
func (w *words) quoted(s string) bool {
	escapes := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			if i+1 < len(s) && !isBlank(s[i+1]) {
				return w.fail(wrong("write a blank after the closing quote", "quoted word %s goes on", quoted(s[:i])))
			}
			w.word, w.rest = s[:i], s[i+1:]
			if escapes {
				w.word = unescaped(s[:i])
			}
			return true
		case c == '\\':
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return w.fail(wrong(`write \\ for a backslash`, `backslash before neither " nor \ in %s`, quoted(s[:i])))
			}
			escapes = true
		case c < ' ' && c != '\t':
			return w.fail(wrong("remove it", "control character %q", c))
		}
	}
	return w.fail(wrong(`write " at its end`, "quoted word %s does not end", quoted(s)))
}

func (w *words) fail(err error) bool {
	w.rest, w.err = "", err
	return false
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// unescaped drops the backslash of \" and \\.
func unescaped(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// joined writes words so that they are found again.
func joined(list ...string) string {
	var b strings.Builder
	for i, word := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		if bare(word) {
			b.WriteString(word)
			continue
		}
		b.WriteByte('"')
		for i := range len(word) {
			if word[i] == '"' || word[i] == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(word[i])
		}
		b.WriteByte('"')
	}
	return b.String()
}
