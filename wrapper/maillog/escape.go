package maillog

const hex = "0123456789abcdef"

func isPrintable(c byte) bool { return ' ' <= c && c <= '~' }

// appendText appends as much of text as fits into limit bytes, with \xNN for unprintable bytes. An
// escape that is in text already is never cut: half of one would mean something else.
func appendText(dst []byte, text string, limit int) []byte {
	for len(text) > 0 {
		n := escapeLen(text)
		if n == 1 && !isPrintable(text[0]) {
			if len(dst)+4 > limit {
				break
			}
			dst = appendHex(dst, text[0])
		} else {
			if len(dst)+n > limit {
				break
			}
			dst = append(dst, text[:n]...)
		}
		text = text[n:]
	}
	return dst
}

// escapeLen is the length of the escape that text begins with, or 1. Text must not be empty.
func escapeLen(text string) int {
	if len(text) < 2 || text[0] != '\\' {
		return 1
	}
	switch text[1] {
	case 'r', 'n', 't', '"', '\\':
		return 2
	case 'x':
		if len(text) >= 4 && isHex(text[2]) && isHex(text[3]) {
			return 4
		}
	}
	return 1
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }

// appendEscaped appends c as in a quoted string of Go or C, which strconv.Unquote can read.
func appendEscaped(dst []byte, c byte) []byte {
	switch {
	case c == '\r':
		return append(dst, `\r`...)
	case c == '\n':
		return append(dst, `\n`...)
	case c == '\t':
		return append(dst, `\t`...)
	case c == '"', c == '\\':
		return append(dst, '\\', c)
	case !isPrintable(c):
		return appendHex(dst, c)
	}
	return append(dst, c)
}

// appendBare appends c as in a value without quotes. A blank would end that value, and a quote
// would begin a string; both are escaped.
func appendBare(dst []byte, c byte) []byte {
	if c <= ' ' || c > '~' || c == '"' || c == '\\' {
		return appendHex(dst, c)
	}
	return append(dst, c)
}

func appendHex(dst []byte, c byte) []byte {
	return append(dst, '\\', 'x', hex[c>>4], hex[c&15])
}
