package guard

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// After the limit nothing tells a valid name from another: whatever the client says then, and
// however, it hears the same bytes for both.
//
// How far it gets is the machine's: the client is cut off a moment after the limit, before or after
// the answers to what it says first. So all that is heard must be a beginning of one sequence, and
// that must end before the answer to the line with the name. (VRFY and EXPN no milter sees; the
// MTAs refuse them to all.) A difference that shows one time in three is missed in all ways by one
// run in three thousand.
func TestNothingToLearn(t *testing.T) {
	const known, unknown = "good007", "nobo007" // of one length: TLS hides no more than that
	const trials = 5                            // of each name
	questions := map[string][]string{
		"rcpt":  {"RCPT TO:<NAME@" + lab.HostName + ">"},
		"again": {"RSET", mailFrom, "RCPT TO:<NAME@" + lab.HostName + ">", "DATA"},
		"ehlo":  {"EHLO client.test", mailFrom, "RCPT TO:<NAME>"},
		"vrfy":  {"VRFY NAME@" + lab.HostName, "EXPN NAME@" + lab.HostName},
	}
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		for about, lines := range questions {
			most := len(lines)
			if about != "vrfy" {
				most = slices.IndexFunc(lines, hasName)
			}
			for _, pipelined := range []bool{false, true} {
				var longest []string
				for i := range 2 * trials {
					heard := s.ask(t, w, []string{known, unknown}[i%2], lines, pipelined)
					if len(heard) > len(longest) {
						heard, longest = longest, heard
					}
					if !slices.Equal(heard, longest[:len(heard)]) {
						t.Errorf("%s, pipelined=%t: one time the client hears\n%q\nand another time\n%q",
							about, pipelined, heard, longest)
					}
				}
				if text := strings.Join(longest, "\n"); len(longest) > most || accepted.MatchString(text) {
					t.Errorf("%s, pipelined=%t: after the limit the client hears\n%q", about, pipelined, text)
				}
			}
		}
	})
}

func hasName(line string) bool { return strings.Contains(line, "NAME") }

// accepted is a sender or a recipient, whoever it is.
var accepted = regexp.MustCompile(`(?m)^2\d\d 2\.1\.`)

// ask has a client that nobody knows name three unknown users, and then say these lines with that
// name, at once (pipelined, with the guesses) or one after the other. It returns the answers that
// it hears after the one to the third, with NAME in place of the name.
func (s *site) ask(t *testing.T, w way, name string, lines []string, pipelined bool) []string {
	t.Helper()
	c := s.session(t, w, w.stranger())
	c.expect("250", mailFrom)
	guesses, asked := names("bad", 3), slices.Clone(lines)
	for i := range asked {
		asked[i] = strings.ReplaceAll(asked[i], "NAME", name)
	}
	var after []string
	if pipelined {
		for i, guess := range guesses {
			guesses[i] = rcpt(guess)
		}
		c.send(append(guesses, asked...)...)
		after = c.waitClosed()
		after = after[min(3, len(after)):]
	} else {
		checkAnswers(t, c.tryNames(guesses...), 2, 3)
		for _, line := range asked {
			answer := c.command(line)
			if answer == "" {
				break
			}
			after = append(after, answer)
		}
		after = append(after, c.waitClosed()...)
	}
	for i := range after {
		after[i] = strings.ReplaceAll(after[i], name, "NAME")
	}
	return after
}
