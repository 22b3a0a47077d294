package guard

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// After the limit nothing tells a valid name from another: whatever the client says then, and however, it hears the same bytes for both.
func TestNothingToLearn(t *testing.T) {
	const known, unknown = "good007", "nobo007" // of one length: TLS hides no more than that
	questions := map[string][]string{
		"rcpt":  {"RCPT TO:<NAME@" + lab.HostName + ">"},
		"again": {"RSET", mailFrom, "RCPT TO:<NAME@" + lab.HostName + ">", "DATA"},
		"ehlo":  {"EHLO client.test", mailFrom, "RCPT TO:<NAME>"},
		"vrfy":  {"VRFY NAME@" + lab.HostName, "EXPN NAME@" + lab.HostName},
	}
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		for about, lines := range questions {
			for _, pipelined := range []bool{false, true} {
				how := fmt.Sprintf("%s, pipelined=%t", about, pipelined)
				var a, b string
				for range 3 { // when the end comes, before or after a command, is the machine's; what tells names does so each time
					if a, b = s.asks(t, w, known, lines, pipelined), s.asks(t, w, unknown, lines, pipelined); a == b {
						break
					}
				}
				if a != b {
					t.Errorf("%s: a valid name is answered\n%q\nand another one\n%q", how, a, b)
				}
				if accepted.MatchString(a) || accepted.MatchString(b) {
					t.Errorf("%s: after the limit something is accepted:\n%q\n%q", how, a, b)
				}
			}
		}
	})
}

// accepted is a sender or a recipient, whoever it is.
var accepted = regexp.MustCompile(`(?m)^2\d\d 2\.1\.`)

// asks has a client that nobody knows name three unknown users, and then say these lines with that name, at once (pipelined, with the guesses)
// or one after the other. It returns all that it hears after the answer to the third, with NAME in place of the name.
func (s *site) asks(t *testing.T, w way, name string, lines []string, pipelined bool) string {
	t.Helper()
	c := s.comes(t, w, w.stranger())
	c.wants("250", mailFrom)
	var after []string
	asked := strings.Split(strings.ReplaceAll(strings.Join(lines, "\n"), "NAME", name), "\n")
	if guesses := []string{rcpt("bad000"), rcpt("bad001"), rcpt("bad002")}; pipelined {
		c.sends(append(guesses, asked...)...)
		after = c.ends()
		after = after[min(3, len(after)):]
	} else {
		learned(t, c.guesses("bad000", "bad001", "bad002"), 2, 3)
		for _, line := range asked {
			answer := c.says(line)
			if answer == "" {
				break
			}
			after = append(after, answer)
		}
		after = append(after, c.ends()...)
	}
	return strings.ReplaceAll(strings.Join(after, "\n"), name, "NAME")
}
