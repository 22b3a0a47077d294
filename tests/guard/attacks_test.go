package guard

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// Words that the log must not have about a client that has done nothing wrong.
const trouble = "BADRCPTS|RESETS|MAXRCPTS|BLOCKED"

// 20 unknown users in one transaction: the client learns about three names, and nothing after that.
func TestOneEnvelope(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		c := s.session(t, w, from)
		pid := mtaOf(t, c)
		c.expect("250", mailFrom)
		answers := c.tryNames(names("bad", 20)...)
		checkAnswers(t, answers, 2, 3)
		c.waitClosed()
		checkEnded(t, s, c, pid, "3/3")
	})
}

// The same in one write, followed by valid names.
func TestPipelined(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		c := s.session(t, w, from)
		pid := mtaOf(t, c)
		lines := []string{mailFrom}
		for _, name := range append(names("bad", 20), names("good", 20)...) {
			lines = append(lines, rcpt(name))
		}
		c.send(lines...)
		answers := c.waitClosed()
		if len(answers) > 0 { // of MAIL
			answers = answers[1:]
		}
		if s.saysYes(w) { // to all that follows, right or wrong
			answers = slices.DeleteFunc(answers,
				func(a string) bool { return strings.HasPrefix(a, "250 2.1.5") })
		}
		checkAnswers(t, answers, 3, 3)
		checkEnded(t, s, c, pid, "3/3")
	})
}

// After the guesses no message is delivered, not even to a recipient accepted before them. (A
// sendmail -bs under TLS may say that it takes it: to a client that has not waited for the 354.)
func TestMessageBehind(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		c := s.session(t, w, w.stranger())
		pid := mtaOf(t, c)
		m := message{subject: newSubject(), recipients: 1}
		c.send(mailFrom, rcpt("good001"), rcpt("bad001"), rcpt("bad002"), rcpt("bad003"),
			"DATA", "Subject: "+m.subject, "", messageText, ".")
		for _, answer := range c.waitClosed() {
			if queuedAs.MatchString(answer) && !s.saysYes(w) {
				t.Errorf("the message is answered %q", answer)
			}
		}
		if m.queue = logged(t, "BADRCPTS", c.Addr).fields["queue"]; m.queue == "" {
			t.Fatal("no queue= in the log")
		}
		lab.Eventually(t, "the MTA is done with it", func() bool { return s.isDone(t, pid, m) })
		if s.delivered(t, m) {
			t.Error("the message was delivered")
		}
	})
}

// isDone reports whether an MTA has finished with a message whose client is gone: sendmail's
// process has ended; Postfix has removed the queue file, which it keeps until it has logged the
// last recipient.
func (s *site) isDone(t *testing.T, pid int, m message) bool {
	t.Helper()
	if s.kind.name != postfix.name {
		return !lab.Running(pid)
	}
	if files, _ := filepath.Glob(s.file("queue/*/" + m.queue)); len(files) > 0 {
		return false
	}
	if err := maillog.Settle(); err != nil {
		t.Fatal(err)
	}
	return true
}

// Two guesses, RSET, two guesses: the MTA's own limits start again at each RSET.
func TestResetBetween(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		c := s.session(t, w, from)
		pid := mtaOf(t, c)
		var answers []string
		bad := names("bad", 20)
		for len(bad) > 0 {
			if c.command(mailFrom) == "" {
				break
			}
			got := c.tryNames(bad[:2]...)
			answers = append(answers, got...)
			if len(got) < 2 || c.command("RSET") == "" {
				break
			}
			bad = bad[2:]
		}
		checkAnswers(t, answers, 2, 3)
		c.waitClosed()
		checkEnded(t, s, c, pid, "3/3")
	})
}

// One guess per connection earns the same block as all guesses in one connection.
func TestOneEachConnection(t *testing.T) {
	everywhere(t, options{conf: "bad_rcpts_total 10/1h"}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		var c *client
		for i, name := range names("bad", 10) {
			c = s.session(t, w, from)
			c.expect("250", mailFrom)
			if i == 9 {
				s.expectEnd(c, w, "550 5.1.1 ", rcpt(name))
				break
			}
			c.expect("550 5.1.1 ", rcpt(name))
			c.expect("221", "QUIT")
			c.waitClosed()
		}
		for i := 10; i < 20; i++ {
			again, greeting := s.connect(t, from)
			if !strings.HasPrefix(greeting, "421 ") {
				t.Fatalf("connection %d is greeted with %q", i+1, greeting)
			}
			again.waitClosed()
		}
		l := logged(t, "BADRCPTS", c.Addr)
		if l.fields["bad"] != "1/3" || l.fields["total"] != "10/10" || l.fields["per"] != "1h" {
			t.Errorf("want bad=1/3 total=10/10 per=1h: %s", l.text)
		}
		if n := len(logLines(t, "BLOCKED", netip.AddrPortFrom(from, 0), 10)); n != 10 {
			t.Errorf("%d lines BLOCKED; want 10", n)
		}
	})
}

// checkAnswers checks the answers to a client that guesses recipients: between least and most
// rejections, of which the last may be the guard's 421, and after that nothing that tells one name
// from another.
func checkAnswers(t *testing.T, answers []string, least, most int) {
	t.Helper()
	for i, a := range answers {
		switch {
		case i < most && strings.HasPrefix(a, "550 5.1.1 "):
		case i >= most-1 && strings.HasPrefix(a, "421 4.7.0 "):
		default:
			t.Errorf("recipient %d of %d is answered %q", i+1, len(answers), a)
		}
	}
	if len(answers) < least {
		t.Errorf("%d answers: %q; want %d", len(answers), answers, least)
	}
}

// checkEnded checks what the end of a session for its bad recipients leaves: its line in the log,
// with the MTA's pid, the block, and the refusal of the client's next connection.
func checkEnded(t *testing.T, s *site, c *client, pid int, bad string) {
	t.Helper()
	l := logged(t, "BADRCPTS", c.Addr)
	network := networkOf(c.Addr.Addr())
	want := map[string]string{"network": network.String(), "bad": bad, "reason": "bad_rcpts",
		"reply": "421", "helo": `"client.test"`}
	for key, value := range want {
		if l.fields[key] != value {
			t.Errorf("%s=%s in the log; want %s: %s", key, l.fields[key], value, l.text)
		}
	}
	if !strings.HasSuffix(l.text, `helo="client.test"`) {
		t.Errorf("the client's own text is not at the end: %s", l.text)
	}
	if left, err := time.ParseDuration(l.fields["left"]); err != nil || left < 59*time.Minute ||
		left > time.Hour {
		t.Errorf("left=%s; want 1h: %s", l.fields["left"], l.text)
	}
	if l.pid != pid {
		t.Errorf("the line's pid is %d; want the MTA's, %d: %s", l.pid, pid, l.text)
	}
	if reason := s.blocked()[network]; reason != "bad_rcpts" {
		t.Errorf("the block on %v has the reason %q", network, reason)
	}
	checkTurnedAway(t, s, c.Addr.Addr())
}

// checkTurnedAway checks that a client is refused before it can say anything: by sendwrap in front
// of the MTA, where there is one, else by the guard.
func checkTurnedAway(t *testing.T, s *site, from netip.Addr) {
	t.Helper()
	c, greeting := s.connect(t, from)
	want := "421 4.7.1 "
	if s.kind.name != inetd.name {
		want = "421 " // and the MTA's own text: no MTA lets a milter choose it here
	}
	if !strings.HasPrefix(greeting, want) {
		t.Errorf("a blocked client is greeted with %q", greeting)
	}
	c.waitClosed()
	l := logged(t, "BLOCKED", c.Addr)
	if door := l.fields["server"] != ""; door != (s.kind.name == inetd.name) {
		t.Errorf("server= in the line: %t; want %t: %s", door, !door, l.text)
	}
	if l.fields["network"] == "" && l.fields["server"] == "" || l.fields["left"] == "" {
		t.Errorf("BLOCKED without network or left: %s", l.text)
	}
	if port := strconv.Itoa(int(c.Addr.Port())); !strings.HasSuffix(l.fields["client"], ":"+port) {
		t.Errorf("client=%s; want port %s", l.fields["client"], port)
	}
}

// Over TCP the guard does not know the MTA's process: the log line has the guard's pid, and the
// guard cannot cut off a session. sendmail ends it by itself; Postfix only when it would otherwise
// have accepted a recipient.
func TestOverTCP(t *testing.T) {
	everySite(t, options{tcp: true}, kinds, func(t *testing.T, s *site) {
		eachWay(t, s, func(t *testing.T, s *site, w way) {
			c := s.session(t, w, w.stranger())
			c.expect("250", mailFrom)
			checkAnswers(t, c.tryNames("bad001", "bad002", "bad003", "good001", "good002"), 2, 3)
			c.waitClosed()
			checkEnded(t, s, c, s.guard.PID(), "3/3")
		})
	})
}

// A virtual domain of sendmail's is guarded if its catch-all leads to an unknown local user.
func TestVirtualDomain(t *testing.T) {
	everySite(t, options{}, []kind{inetd, daemon}, func(t *testing.T, s *site) {
		good := s.session(t, way{}, way{}.stranger())
		good.expect("250", mailFrom)
		good.expect("250", "RCPT TO:<known@virtual.test>")
		c := s.session(t, way{}, way{}.stranger())
		pid := mtaOf(t, c)
		c.expect("250", mailFrom)
		for _, name := range []string{"bad001", "bad002", "bad003"} {
			c.expect("550 5.1.1", "RCPT TO:<"+name+"@virtual.test>")
		}
		c.waitClosed()
		checkEnded(t, s, c, pid, "3/3")
	})
}
