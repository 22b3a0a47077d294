package guard

import (
	"testing"
	"time"
)

// A message may have so many recipients; those beyond are put off, and the message goes to the others.
func TestMaxRcpts(t *testing.T) {
	everywhere(t, options{conf: "max_rcpts 5"}, func(t *testing.T, s *site, w way) {
		c := s.comes(t, w, w.stranger())
		for range 2 { // it is a limit a message
			c.wants("250", mailFrom)
			for _, name := range names("good", 5) {
				c.wants("250", rcpt(name))
			}
			for _, name := range []string{"good010", "good011"} {
				c.wants("452 4.5.3 ", rcpt(name))
			}
			s.arrives(t, c.tells(5))
		}
		if l := logged(t, "MAXRCPTS", c.addr); l.fields["rcpts"] != "6/5" || l.fields["reply"] != "452" {
			t.Errorf("want rcpts=6/5 reply=452: %s", l.text)
		}
		if block := s.blocked(); block[networkOf(c.addr.Addr())] != "" {
			t.Errorf("blocks %v", block)
		}
		c.wants("221", "QUIT")
	})
}

// Transactions may come to nothing so many times.
func TestMaxResets(t *testing.T) {
	everywhere(t, options{conf: "max_resets 4"}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		c := s.comes(t, w, from)
		for range 2 {
			c.wants("250", mailFrom)
			c.wants("250", "RSET")
			c.wants("250", mailFrom)
			c.wants("250", "EHLO client.test") // abandons it, too
		}
		s.arrives(t, c.delivers("good001")) // four may
		c.wants("250", mailFrom)
		c.wants("250", "RSET")
		s.ends(c, w, "421 4.7.0 ", mailFrom)
		if l := logged(t, "RESETS", c.addr); l.fields["resets"] != "5/4" || l.fields["reply"] != "421" {
			t.Errorf("want resets=5/4 reply=421: %s", l.text)
		}
		again := s.comes(t, w, from) // this is no offence
		s.arrives(t, again.delivers("good001"))
	})
}

// From the first guess on, each answer takes its time. (sendmail gives its own 550 before it asks the guard, so that the client waits for
// the next one instead.)
func TestDelay(t *testing.T) {
	const delay = time.Second
	everywhere(t, options{conf: "bad_rcpts 0\nbad_rcpt_delay 1s"}, func(t *testing.T, s *site, w way) {
		c := s.comes(t, w, w.stranger())
		c.wants("250", mailFrom)
		before := c.takes(rcpt("good001")) + c.takes(rcpt("bad001")) + c.takes(rcpt("good002"))
		if before < delay || before >= 2*delay { // for good002
			t.Errorf("the first three were answered after %v; want %v", before, delay)
		}
		after := c.takes(rcpt("bad002")) + c.takes(rcpt("bad003")) + c.takes("NOOP")
		if after < 2*delay || after > 2*delay+busy {
			t.Errorf("two guesses more took %v; want %v", after, 2*delay)
		}
		s.arrives(t, c.tells(2))
	})
}

// busy is what a machine takes longer that has much to do.
const busy = time.Second

// takes says a line, and how long the answer takes.
func (c *client) takes(line string) time.Duration {
	c.t.Helper()
	began := time.Now()
	if c.says(line) == "" {
		c.t.Fatalf("%v: %q is not answered", c.addr, line)
	}
	return time.Since(began)
}

// But never more than 30 s in all, whatever bad_rcpt_delay.
func TestDelayEnds(t *testing.T) {
	everySite(t, options{conf: "bad_rcpts 0\nbad_rcpts_total 0\nbad_rcpt_delay 5s"}, []kind{daemon, postfix}, func(t *testing.T, s *site) {
		c := s.comes(t, way{}, way{}.stranger())
		c.wants("250", mailFrom)
		var all time.Duration
		for i, name := range names("bad", 10) {
			took := c.takes(rcpt(name))
			if all += took; i > 7 && took > busy {
				t.Errorf("recipient %d is answered after %v, %v in all", i+1, took, all)
			}
		}
		if all < 30*time.Second || all > 30*time.Second+10*busy {
			t.Errorf("the client has waited %v in all; want 30s", all)
		}
	})
}
