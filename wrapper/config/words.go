package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// words splits a line into words. A word is a part of the line; only a quoted word that contains a
// backslash is a copy.
type words struct {
	rest string // of the line
	word string // that next has found
	err  error  // if next has stopped before the end of the line

	secret bool // the errors do not show words
}

// quoted is a part of a word in an error.
func (w *words) quoted(part string) string {
	if w.secret {
		return `"..."`
	}
	return quoted(part)
}

// next finds the next word, and reports whether the line has one.
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
		return w.nextQuoted(s[i+1:])
	}
	start, all := i, byte(0)
	for i < len(s) && s[i] > ' ' && s[i] != '"' {
		all |= s[i]
		i++
	}
	if i < len(s) && s[i] == '"' {
		return w.fail(newError(`write "..." around the whole word`, `quote inside the word %s`,
			w.quoted(s[start:i+1])))
	}
	if i < len(s) && !isBlank(s[i]) {
		return w.fail(newError("remove it", "control character %q", s[i]))
	}
	w.word, w.rest = s[start:i], s[i:]
	if all >= utf8.RuneSelf {
		if odd, instead := oddBlank(w.word); odd != "" {
			return w.fail(newError(instead+`, or "..." around the word if it is meant`,
				"%s in %s", odd, w.quoted(w.word)))
		}
	}
	if w.word[len(w.word)-1] == '\\' && strings.Trim(w.rest, " \t") == "" {
		return w.fail(newError(`write all of it on one line, or "\\" for a backslash`,
			"backslash at the end of a line, but lines do not continue"))
	}
	return true
}

// oddBlank names the first character of a word that looks like a blank, or is invisible. Editors
// and web pages produce them, mostly U+00A0, which is the byte A0 in a file that is not UTF-8.
func oddBlank(word string) (odd, instead string) {
	const blank = "write a plain blank"
	for i, r := range word {
		switch {
		case r == 0xa0, r == utf8.RuneError && word[i] == 0xa0:
			return "no-break space", blank
		case unicode.IsSpace(r):
			return fmt.Sprintf("unusual blank (%U)", r), blank
		case unicode.Is(unicode.Cf, r):
			return fmt.Sprintf("invisible character (%U)", r), "remove it"
		}
	}
	return "", ""
}

// isBare reports whether a word can be written without quotes.
func isBare(word string) bool {
	odd, _ := oddBlank(word)
	return word != "" && word[0] != '#' && !strings.ContainsAny(word, " \t\"") &&
		!strings.HasSuffix(word, `\`) && odd == ""
}

// nextQuoted finds a word that begins with a quote; s is the text after the quote.
func (w *words) nextQuoted(s string) bool {
	escapes := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			if i+1 < len(s) && !isBlank(s[i+1]) {
				return w.fail(newError("write one", "no blank after the quoted word %s",
					w.quoted(s[:i])))
			}
			w.word, w.rest = s[:i], s[i+1:]
			if escapes {
				w.word = unescaped(s[:i])
			}
			return true
		case c == '\\':
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return w.fail(newError(`write \\ for a backslash`,
					`backslash before a character other than " and \ in %s`, w.quoted(s[:i])))
			}
			escapes = true
		case c < ' ' && c != '\t':
			return w.fail(newError("remove it", "control character %q", c))
		}
	}
	return w.fail(newError(`write " at its end`, "quoted word %s has no closing quote",
		w.quoted(s)))
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

// joinWords is a line that has these words.
func joinWords(list ...string) string {
	var b strings.Builder
	for i, word := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		if isBare(word) {
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
