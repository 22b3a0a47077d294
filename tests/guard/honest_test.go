package guard

import (
	"bufio"
	"encoding/base64"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// A newsletter to 200 recipients is no offence.
func TestNewsletter(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		c := s.session(t, w, from)
		m := c.sendMessage(names("good", 200)...)
		c.expect("221", "QUIT")
		s.waitDelivered(t, m)
		unlogged(t, trouble, from)
	})
}

// deadMembers is a mailing list of 60 members, of which three are dead: the 10th, 30th and 50th.
func deadMembers() (all []string) {
	for i, name := range names("good", 60) {
		if i%20 == 9 {
			name = strings.Replace(name, "good", "dead", 1)
		}
		all = append(all, name)
	}
	return all
}

// A mailing list with three dead members passes if bad_rcpts_percent allows for their share.
func TestMailingList(t *testing.T) {
	everywhere(t, options{conf: "bad_rcpts_percent 50"}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		c := s.session(t, w, from)
		c.expect("250", mailFrom)
		for _, name := range deadMembers() {
			code := "250"
			if strings.HasPrefix(name, "dead") {
				code = "550 5.1.1"
			}
			c.expect(code, rcpt(name))
		}
		m := c.sendData(57)
		c.expect("221", "QUIT")
		s.waitDelivered(t, m)
		unlogged(t, trouble, from)
		checkUnprotected(t, s, w)
	})
}

// checkUnprotected checks that bad_rcpts_percent does not protect a client that guesses.
func checkUnprotected(t *testing.T, s *site, w way) {
	t.Helper()
	c := s.session(t, w, w.stranger())
	c.expect("250", mailFrom)
	c.expect("250", rcpt("good000"))
	checkAnswers(t, c.tryNames(names("bad", 20)...), 2, 3)
	c.waitClosed()
	logged(t, "BADRCPTS", c.Addr)
}

// It does not pass without bad_rcpts_percent.
func TestMailingListEnded(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		c := s.session(t, w, w.stranger())
		c.expect("250", mailFrom)
		if n := len(c.tryNames(deadMembers()...)); n > 50 {
			t.Errorf("%d recipients are answered; want 50 at most", n)
		}
		c.waitClosed()
		if l := logged(t, "BADRCPTS", c.Addr); l.fields["good"] != "47" {
			t.Errorf("want good=47: %s", l.text)
		}
	})
}

// A recipient that the MTA puts off with 4xx is not a bad one.
func TestPutOff(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		c := s.session(t, w, from)
		c.expect("250", mailFrom)
		for range 12 {
			c.expect("45", rcpt("later.1"))
		}
		c.expect("250", rcpt("good001"))
		m := c.sendData(1)
		s.waitDelivered(t, m)
		c.expect("250", mailFrom)
		checkAnswers(t, c.tryNames("bad001", "bad002", "bad003"), 2, 3) // these are bad
		c.waitClosed()
		if l := logged(t, "BADRCPTS", c.Addr); l.fields["bad"] != "3/3" || l.fields["good"] != "1" {
			t.Errorf("want bad=3/3 good=1: %s", l.text)
		}
	})
}

// Networks with lines of their own in sendwrap.conf.
var (
	allowed4 = netip.MustParsePrefix("198.19.255.0/24")
	allowed6 = netip.MustParsePrefix("2001:db8:cfff::/48")
	lenient4 = netip.MustParsePrefix("198.19.254.0/24")
	lenient6 = netip.MustParsePrefix("2001:db8:cffe::/48")
)

// in is an address in the network of the way's IP version.
func (w way) in(v4, v6 netip.Prefix) netip.Addr {
	if w.v6 {
		return v6.Addr().Next()
	}
	return v4.Addr().Next()
}

// Networks under allow, and those that have limits of their own.
func TestNetworks(t *testing.T) {
	conf := "max_rcpts 4\nmax_resets 2\nallow 198.19.255.0/24 2001:db8:cfff::/48\n" +
		"client 198.19.254.0/24 bad_rcpts=6\nclient 2001:db8:cffe::/48 bad_rcpts=6"
	everywhere(t, options{conf: conf}, func(t *testing.T, s *site, w way) {
		from := w.in(allowed4, allowed6)
		if w.tls {
			from = from.Next()
		}
		s.expectNoLimit(t, s.session(t, w, from))
		unlogged(t, trouble, from)

		from = w.in(lenient4, lenient6)
		if w.tls { // a network of its own, /32 or /64
			from = map[bool]netip.Addr{false: from.Next(), true: addr("2001:db8:cffe:1::1")}[w.v6]
		}
		c := s.session(t, w, from)
		c.expect("250", mailFrom)
		checkAnswers(t, c.tryNames(names("bad", 20)...), 5, 6)
		c.waitClosed()
		if l := logged(t, "BADRCPTS", c.Addr); l.fields["bad"] != "6/6" {
			t.Errorf("want bad=6/6: %s", l.text)
		}
	})
}

// expectNoLimit checks that no limit applies to a client.
func (s *site) expectNoLimit(t *testing.T, c *client) {
	t.Helper()
	for range 5 {
		c.expect("250", mailFrom)
		c.expect("250", "RSET")
	}
	c.expect("250", mailFrom)
	for _, name := range names("bad", 12) {
		c.expect("550 5.1.1", rcpt(name))
	}
	for _, name := range names("good", 6) {
		c.expect("250", rcpt(name))
	}
	m := c.sendData(6)
	c.expect("221", "QUIT")
	s.waitDelivered(t, m)
}

// No limit applies to a client that has authenticated itself, unless guard_auth is on.
func TestAuthenticated(t *testing.T) {
	needSASL(t)
	everywhere(t, options{conf: "max_rcpts 4\nmax_resets 2"}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		c := s.session(t, w, from)
		c.authenticate()
		s.expectNoLimit(t, c)
		unlogged(t, trouble, from)
	})
}

func TestGuardAuth(t *testing.T) {
	needSASL(t)
	everywhere(t, options{conf: "guard_auth on"}, func(t *testing.T, s *site, w way) {
		c := s.session(t, w, w.stranger())
		pid := mtaOf(t, c)
		c.authenticate()
		c.expect("250", mailFrom)
		checkAnswers(t, c.tryNames(names("bad", 20)...), 2, 3)
		c.waitClosed()
		checkEnded(t, s, c, pid, "3/3")
	})
}

func (c *client) authenticate() {
	c.t.Helper()
	secret := base64.StdEncoding.EncodeToString([]byte("\x00owner\x00" + password))
	c.expect("235", "AUTH PLAIN "+secret)
}

// With mode observe, or with all limits observed: every offence is logged, no client is refused,
// and it is seen which of these sent mail.
func TestObserve(t *testing.T) {
	for name, conf := range map[string]string{
		"mode": "mode observe\nmax_rcpts 4\nmax_resets 2",
		"limits": "bad_rcpts 3 observe\nbad_rcpts_total 10/1h observe\nmax_rcpts 4 observe\n" +
			"max_resets 2 observe",
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, options{conf: conf}, observeAll)
		})
	}
}

func observeAll(t *testing.T, s *site, w way) {
	from := w.stranger()
	c := s.session(t, w, from)
	pid := mtaOf(t, c)
	s.waitDelivered(t, c.sendMessage(names("good", 6)...))
	checkObserved(t, logged(t, "MAXRCPTS", c.Addr), pid)
	s.expectNoLimit(t, c)
	for _, word := range []string{"RESETS", "BADRCPTS"} {
		checkObserved(t, logged(t, word, c.Addr), pid)
	}
	for i, want := range []string{"MAXRCPTS", "BADRCPTS,RESETS"} {
		if l := parseLine(t, logLines(t, "SENT", c.Addr, 2)[i]); l.fields["observed"] != want ||
			l.pid != pid {
			t.Errorf("message %d: want observed=%s, pid %d: %s", i, want, pid, l.text)
		}
	}
	again := s.session(t, w, from)
	s.waitDelivered(t, again.sendMessage("good001"))
	noBlock := !strings.Contains(s.conf, "mode observe") // which makes them, for later
	if block := s.blocked()[networkOf(from)]; noBlock && block != "" {
		t.Errorf("a block: %s", block)
	}
}

func checkObserved(t *testing.T, l line, pid int) {
	t.Helper()
	if _, replied := l.fields["reply"]; l.fields["mode"] != "observe" || l.pid != pid || replied {
		t.Errorf("want mode=observe, no reply=, pid %d: %s", pid, l.text)
	}
}

// The machine's own users hand their mail to sendmail by a pipe. Without a client no limit applies.
func TestPipe(t *testing.T) {
	everySite(t, options{conf: "max_rcpts 4\nmax_resets 2"}, []kind{daemon},
		func(t *testing.T, s *site) {
			cmd := exec.Command(lab.Sendmail, "-C", s.file("sendmail.cf"), "-Am", "-bs")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			conn := pipe{in: in.(*os.File), out: out.(*os.File)}
			c := &client{&lab.Client{Conn: conn, In: bufio.NewReader(out)}, t}
			if greeting := c.reply(); !strings.HasPrefix(greeting, "220 ") {
				t.Fatalf("greeted with %q", greeting)
			}
			c.expect("250", "EHLO client.test")
			s.expectNoLimit(t, c)
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
}

// pipe is a pair of pipes, one for each direction.
type pipe struct {
	net.Conn // nil: nothing else is called
	in, out  *os.File
}

func (p pipe) Read(b []byte) (int, error)         { return p.out.Read(b) }
func (p pipe) Write(b []byte) (int, error)        { return p.in.Write(b) }
func (p pipe) SetReadDeadline(t time.Time) error  { return p.out.SetDeadline(t) }
func (p pipe) SetWriteDeadline(t time.Time) error { return p.in.SetDeadline(t) }
