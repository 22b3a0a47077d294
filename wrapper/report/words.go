package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/decide"
)

// refusedAtDoor reports whether the door refuses a client with that verdict, not for our fault.
func refusedAtDoor(v decide.Verdict) bool {
	return v.Refuses() && !v.OfGuard() && v != decide.Failed
}

// isOffence reports whether a client is refused for what it did, or what lists say it does: not in
// a crowd, and not by a line that names it already.
func isOffence(v decide.Verdict) bool {
	switch v {
	case decide.Pregreet, decide.Blocked, decide.DNSBL, decide.BadRcpts:
		return true
	}
	return false
}

// isUsual reports whether a line in words tells of no trouble: a file of syslogd does not say which
// level a line has.
func isUsual(text string) bool {
	for _, begin := range []string{
		"guard: listening on ", "guard: ended", "share: ended", "the machine has rebooted: ",
		"a new program has taken over ",
	} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return strings.HasSuffix(text, ": configuration reloaded") ||
		strings.HasPrefix(text, "share: ") && strings.Contains(text, " answers; this machine is ")
}

// counted is a number of things, and what one and several of them are called.
type counted struct {
	n         int
	one, many string
}

// join lists what there is of these; "" for nothing.
func join(list []counted) string {
	var said []string
	for _, x := range list {
		if x.n > 0 {
			said = append(said, plural(x.n, x.one, x.many))
		}
	}
	return strings.Join(said, ", ")
}

// plural is a number of things.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return group(n) + " " + many
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

// group writes a number with commas: 12,345.
func group(n int) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// seconds writes a time: 0.5s, 35s, 2m5s.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second)).Round(10 * time.Millisecond)
	if d > 10*time.Second {
		d = d.Round(time.Second)
	}
	return rule.FormatDuration(d)
}

// wrap cuts a text at blanks into lines of at most that many columns.
func wrap(text string, most int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > most {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return append(lines, line)
}

// short is a time without its year.
func short(t time.Time) string { return t.Format("2 Jan 15:04") }
