package guard

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// idleRules have one place, which a client loses if it says nothing for a second.
const idleRules = "max_sessions 1\nmax_idle 1s"

// idleTime is longer than that.
const idleTime = 1100 * time.Millisecond

// When an idle session under TLS ends, nothing is sent outside TLS.
func TestIdleUnderTLS(t *testing.T) {
	everySite(t, options{conf: idleRules}, []kind{inetd}, func(t *testing.T, s *site) {
		sitter := s.session(t, way{tls: true}, way{}.stranger())
		time.Sleep(idleTime)
		next := s.greeted(t, way{}.stranger())
		if answer := sitter.reply(); answer != "" && !strings.HasPrefix(answer, "421 ") {
			t.Errorf("the client of the idle session hears %q", answer)
		}
		idleLines(t, sitter, 1)
		next.expect("221", "QUIT")
	})
}

// A session whose MTA waits for its filter is not idle, however long that takes.
func TestFilterWorks(t *testing.T) {
	everySite(t, options{conf: idleRules}, []kind{inetd}, func(t *testing.T, s *site) {
		c := s.session(t, way{}, way{}.stranger())
		s.stopIdle()
		c.send(mailFrom)
		time.Sleep(idleTime)
		from := way{}.stranger()
		conn, err := dial(from, s.addr(from))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if greeting := (&client{conn, t}).reply(); !strings.HasPrefix(greeting, "421 4.3.2 ") {
			t.Errorf("while the filter works another is greeted with %q", greeting)
		}
		s.signal(unix.SIGCONT)
		if answer := c.reply(); !strings.HasPrefix(answer, "250 ") {
			t.Errorf("MAIL is answered %q", answer)
		}
		idleLines(t, c, 0)
	})
}

// stopIdle stops the guard while it does not hold the ledger. Otherwise another client would be let
// in without being counted, and its MTA would wait for the guard, too.
func (s *site) stopIdle() {
	lab.Eventually(s.t, "the guard is stopped without the ledger", func() bool {
		s.signal(unix.SIGSTOP)
		if exec.Command(sendwrap, "status", "-f", s.file("sendwrap.conf")).Run() == nil {
			return true
		}
		s.signal(unix.SIGCONT)
		return false
	})
}

// idleLines expects n lines about the end of a client's idle session.
func idleLines(t *testing.T, c *client, n int) {
	t.Helper()
	line := regexp.MustCompile(`sendwrap\[\d+\]: IDLE client=\[` +
		regexp.QuoteMeta(c.Addr.Addr().String()) + `\]`)
	if got := len(maillog.Wait(line, n)); got != n {
		t.Errorf("%d lines IDLE of %v; want %d", got, c.Addr, n)
	}
}
