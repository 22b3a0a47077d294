package guard

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// After the limit a client can no longer tell a valid name from an unknown one: for both it gets
// the same bytes, whatever it sends.
//
// How many answers it gets depends on the machine: the guard cuts it off a moment after the limit,
// before or after the answers to its next lines. So each try must get the beginning of one sequence
// of answers, and that must end before the answer to the line with the name. (No milter sees VRFY
// and EXPN; the MTAs refuse them to all. A sendmail -bs under TLS says yes to all names.) A
// difference that shows in one try of three escapes all ways in one run of three thousand.
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
				t.Run(fmt.Sprintf("%s-pipelined=%t", about, pipelined), func(t *testing.T) {
					t.Parallel()
					var longest []string
					for i := range 2 * trials {
						answers := s.ask(t, w, []string{known, unknown}[i%2], lines, pipelined)
						if len(answers) > len(longest) {
							answers, longest = longest, answers
						}
						if !slices.Equal(answers, longest[:len(answers)]) {
							t.Errorf("one time the answers are\n%q\nand another time\n%q", answers,
								longest)
						}
					}
					if s.saysYes(w) { // to all alike, which the answers above show
						return
					}
					if text := strings.Join(longest, "\n"); len(longest) > most ||
						accepted.MatchString(text) {
						t.Errorf("after the limit the answers are\n%q", text)
					}
				})
			}
		}
	})
}

func hasName(line string) bool { return strings.Contains(line, "NAME") }

// accepted matches the answer to any sender or recipient that is accepted.
var accepted = regexp.MustCompile(`(?m)^2\d\d 2\.1\.`)

// ask makes a new client name three unknown users, and then send these lines with the name, all at
// once (pipelined) or one after the other. It returns the answers after the one to the third user,
// with NAME in place of the name.
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
