package top

import (
	"os"
	"strings"
	"unicode"
)

// style is how a text looks. On a terminal without colour, the first three still do.
type style uint8

const (
	plain style = iota
	strong
	chosen // the line on which keys act
	served
	refusal
	warning
)

// span is text of one style, line a row of the screen.
type (
	span struct {
		text  string
		style style
	}
	line []span
)

func text(s string) line { return line{{s, plain}} }

// cut is the line as cells of a row of that width. What is no letter, number or sign becomes "?":
// no text can move the cursor.
func (l line) cut(width int, ascii bool) (cut line) {
	for _, s := range l {
		var b strings.Builder
		for _, r := range s.text {
			if width--; width < 0 {
				break
			}
			if !unicode.IsPrint(r) || ascii && r >= 0x7f {
				r = '?'
			}
			b.WriteRune(r)
		}
		cut = append(cut, span{b.String(), s.style})
	}
	return cut
}

// String is the text of the line.
func (l line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return strings.TrimRight(b.String(), " ")
}

// isASCII says whether the locale has no block elements.
func isASCII() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(os.Getenv(name)); v != "" {
			return !strings.Contains(v, "utf-8") && !strings.Contains(v, "utf8")
		}
	}
	return true
}

// gauge is a row of that many cells, filled by the share n of limit.
func gauge(n, limit, width int, ascii bool) string {
	full, empty := "█", "░"
	if ascii {
		full, empty = "#", "."
	}
	if width <= 0 || limit <= 0 {
		return ""
	}
	filled := min(width, (n*width+limit-1)/limit)
	return strings.Repeat(full, filled) + strings.Repeat(empty, width-filled)
}
