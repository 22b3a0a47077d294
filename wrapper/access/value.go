package access

import (
	"fmt"
	"strconv"
	"strings"

	"sendwrap/allowlist/rule"
)

const (
	// MaxPause is the longest GreetPause, in milliseconds: sendmail's.
	MaxPause = 300_000

	maxNumber = 1<<31 - 1
)

// parseValue reads what stands after a key. remark is empty, or has what sendmail makes of it if
// that is hardly meant. The Kind is Nothing if sendmail takes the line as none.
func parseValue(l line) (v Value, remark Note) {
	words := tokens(withArguments(l))
	switch {
	case len(words) == 0:
		return v, Note{Msg: "a value that is only a comment", Hint: "write OK or REJECT before it"}
	case len(words) == 1 && words[0] == "?":
		return v, Note{Msg: "sendmail takes ? for no value", Hint: "write SKIP"}
	case len(words) == 1 && lower(words[0]) == "skip":
		return Value{Kind: Skip}, Note{}
	case l.tag == Connect:
		return parseAccess(words, l.value)
	}
	return parseNumber(l.tag, words, l.value)
}

// withArguments is a line's value with what sendmail puts in place of %0, which is the key, of %1
// to %9, which are nothing here, and of %%.
func withArguments(l line) string {
	value := l.value
	if !strings.Contains(value, "%") {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '%' && i+1 < len(value) {
			switch c := value[i+1]; {
			case c == '0':
				b.WriteString(l.asked())
				fallthrough
			case c >= '1' && c <= '9':
				i++
				continue
			case c == '%':
				i++
			}
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// parseAccess is the end of sendmail's ruleset Basic_check_relay.
func parseAccess(words []string, value string) (Value, Note) {
	first := lower(words[0])
	if len(words) == 1 {
		switch first {
		case "ok":
			return Value{Kind: OK}, Note{}
		case "relay":
			return Value{Kind: OK, Also: Relays}, Note{}
		case "discard":
			return Value{Kind: OK, Also: Discards}, Note{}
		case "reject":
			return Value{Kind: Reject}, Note{}
		}
	}
	status := ""
	if len(words) > 2 && words[1] == ":" {
		switch first {
		case "quarantine":
			return Value{Kind: OK, Also: Quarantines}, Note{}
		case "error":
			status, words = cutStatus(words[2:])
		}
	}
	text := unquote(join(words))
	reply, ok := replyOf(status, text)
	v := Value{Kind: Text, Reply: reply}
	switch {
	case !ok:
		return v, Note{
			Msg:  "sendmail has no value " + quoted(value) + ", and refuses with it as a text",
			Hint: `write OK, RELAY, REJECT, or a code and a text: ERROR:5.7.1:"550 text"`,
		}
	case strings.Count(text, " ") < len(strings.FieldsFunc(value, isBlank))-1 &&
		!strings.ContainsAny(value, `"(`):
		return v, Note{
			Msg:  "sendmail leaves out blanks of a text without quotes: " + quoted(reply),
			Hint: `write quotes around code and text: ERROR:5.7.1:"550 text"`,
		}
	}
	return v, Note{}
}

// cutStatus takes the enhanced status code from the words after ERROR:, if there is one.
func cutStatus(words []string) (status string, text []string) {
	if len(words) > 6 && words[1] == "." && words[3] == "." && words[5] == ":" {
		return strings.Join(words[:5], ""), words[6:]
	}
	return "", words
}

// replyOf is the reply that sendmail makes of an enhanced status code, if there is one, and a text
// with a code. ok is false if it has none.
func replyOf(status, text string) (reply string, ok bool) {
	code := "553"
	if len(text) > 3 && isCode(text[:3]) && text[3] == ' ' {
		code, text = text[:3], text[4:]
		if n := statusLen(text); n > 0 && n < len(text) && text[n] == ' ' {
			status, text = text[:n], text[n+1:]
		} else if n := statusLen(status); n == 0 || n < len(status) {
			status = code[:1] + ".0.0"
		}
		ok = true
	} else {
		status = "5.3.0"
	}
	reply = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, code+" "+status+" "+text)
	return reply[:min(len(reply), rule.MaxReply)], ok
}

func isCode(s string) bool {
	return (s[0] == '4' || s[0] == '5') && isDigits(s[1:])
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// statusLen is how many bytes at the beginning of s are an enhanced status code (RFC 3463 §2).
func statusLen(s string) int {
	if len(s) < 5 || strings.IndexByte("245", s[0]) < 0 || s[1] != '.' {
		return 0
	}
	i := 2
	for part := range 2 {
		start := i
		for i < len(s) && i < start+3 && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		if i == start || part == 0 && (i == len(s) || s[i] != '.') {
			return 0
		}
		if part == 0 {
			i++
		}
	}
	return i
}

// parseNumber is what greet_pause takes from a value, by strtol(3) and of the first word alone. The
// other rulesets take the same from a number.
func parseNumber(tag Tag, words []string, value string) (Value, Note) {
	word := words[0]
	digits := word[:len(word)-len(strings.TrimLeft(word, "0123456789"))]
	n, err := strconv.Atoi(digits)
	if err != nil && digits != "" {
		n = maxNumber
	}
	n = min(n, maxNumber)
	most := maxNumber
	if tag == GreetPause {
		most = MaxPause
	}
	v := Value{Kind: Number, N: min(n, most)}
	switch {
	case len(words) == 1 && digits == word && n <= most &&
		(tag == GreetPause || n > 0 || word == "0"):
		return v, Note{}
	case n > most:
		return v, Note{
			Msg:  fmt.Sprintf("more than sendmail's %d", most),
			Hint: fmt.Sprintf("write %d", most),
		}
	case tag == GreetPause:
		return v, Note{
			Msg:  fmt.Sprintf("sendmail takes %s for %d milliseconds", quoted(value), v.N),
			Hint: "write milliseconds: " + suggested(words, 1000),
		}
	case n == 0:
		return v, Note{
			Msg:  "sendmail refuses everybody by " + quoted(value) + "; here it is no limit",
			Hint: "write a number, or 0 for no limit",
		}
	}
	return v, Note{
		Msg:  fmt.Sprintf("sendmail takes %s for %d", quoted(value), v.N),
		Hint: "write a number: " + suggested(words, 1),
	}
}

// suggested is the number that a value with a unit may mean, of which second are a second's.
func suggested(words []string, second int) string {
	all := lower(strings.Join(words, ""))
	digits := all[:len(all)-len(strings.TrimLeft(all, ".0123456789"))]
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || n > MaxPause {
		n = 5 * float64(second)
	} else if strings.Contains(digits, ".") || strings.HasPrefix(all[len(digits):], "s") {
		n *= float64(second)
	}
	return strconv.Itoa(int(n))
}

// quoted is a word of the map as a note shows it.
func quoted(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}
