package guard

import (
	"slices"
	"strings"
	"testing"
)

// Most senders write MAIL, all recipients and DATA at once. The answers of the MTA until the guard
// ends the session reach the client: the sender, two valid recipients, three dead ones. The fourth
// dead one is not answered, so the client learns nothing about it.
func TestPipelinedReplies(t *testing.T) {
	everywhere(t, options{conf: "bad_rcpt_delay 1s"}, func(t *testing.T, s *site, w way) {
		c := s.session(t, w, w.stranger())
		lines := []string{mailFrom}
		for _, name := range append(names("good", 2), names("bad", 4)...) {
			lines = append(lines, rcpt(name))
		}
		c.send(append(lines, "DATA")...)
		answers := c.waitClosed()
		checkReplies(t, answers)
		logged(t, "BADRCPTS", c.Addr)
	})
}

// checkReplies checks the answers to MAIL, two valid recipients, dead ones and DATA. A sendmail -bs
// under TLS says yes to all after the limit, so that the client learns nothing, and leaves.
func checkReplies(t *testing.T, answers []string) {
	t.Helper()
	want := []string{"250 ", "250 ", "250 ", "550 5.1.1 ", "550 5.1.1 ", "550 5.1.1 "}
	got := slices.Clone(answers)
	if len(got) > len(want) && !strings.HasPrefix(got[len(want)], "5") {
		got = got[:len(want)]
	}
	same := len(got) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = strings.HasPrefix(got[i], want[i])
	}
	if !same {
		t.Errorf("%d answers: %.1000q; want %q", len(answers), answers, want)
	}
}
