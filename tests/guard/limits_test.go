package guard

import (
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// A message may have max_rcpts recipients; further ones are put off, and the message goes to the
// first ones. The client reads our whole text, whichever MTA passes it on.
func TestMaxRcpts(t *testing.T) {
	const conf = "max_rcpts 5\ncontact https://example.org/why%20us"
	everywhere(t, options{conf: conf}, func(t *testing.T, s *site, w way) {
		c := s.session(t, w, w.stranger())
		literal := "[" + c.Addr.Addr().String() + "]"
		if c.Addr.Addr().Is6() {
			literal = "[IPv6:" + literal[1:]
		}
		putOff := "452 4.5.3 " + lab.HostName + " " + literal + " named too many recipients; " +
			"send to the others in another message; see https://example.org/why%20us"
		for range 2 { // the limit is per message
			c.expect("250", mailFrom)
			for _, name := range names("good", 5) {
				c.expect("250", rcpt(name))
			}
			for _, name := range []string{"good010", "good011"} {
				c.expect(putOff, rcpt(name))
			}
			s.waitDelivered(t, c.sendData(5))
		}
		if l := logged(t, "MAXRCPTS", c.Addr); l.fields["rcpts"] != "6/5" ||
			l.fields["reply"] != "452" {
			t.Errorf("want rcpts=6/5 reply=452: %s", l.text)
		}
		if block := s.blocked(); block[networkOf(c.Addr.Addr())] != "" {
			t.Errorf("blocks %v", block)
		}
		c.expect("221", "QUIT")
	})
}

// A session may abandon max_resets transactions.
func TestMaxResets(t *testing.T) {
	everywhere(t, options{conf: "max_resets 4"}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		c := s.session(t, w, from)
		for range 2 {
			c.expect("250", mailFrom)
			c.expect("250", "RSET")
			c.expect("250", mailFrom)
			c.expect("250", "EHLO client.test") // abandons the transaction, too
		}
		s.waitDelivered(t, c.sendMessage("good001")) // four are within the limit
		c.expect("250", mailFrom)
		c.expect("250", "RSET")
		s.expectEnd(c, w, "421 4.7.0 ", mailFrom)
		reply := s.last("421 ", w)[:3]
		if l := logged(t, "RESETS", c.Addr); l.fields["resets"] != "5/4" ||
			l.fields["reply"] != reply {
			t.Errorf("want resets=5/4 reply=%s: %s", reply, l.text)
		}
		again := s.session(t, w, from) // max_resets is no offence: no block
		s.waitDelivered(t, again.sendMessage("good001"))
	})
}

// From the first bad recipient on, each answer is held back for bad_rcpt_delay. (sendmail sends its
// own 550 before it asks the guard, so that the client waits for the next answer instead.)
func TestDelay(t *testing.T) {
	const delay = 5 * time.Second
	everywhere(t, options{conf: "bad_rcpts 0\nbad_rcpt_delay 5s"},
		func(t *testing.T, s *site, w way) {
			// One delay too many makes every try longer; a slow machine only some.
			lab.Eventually(t, "no answer is held back twice", func() bool {
				c := s.session(t, w, w.stranger())
				c.expect("250", mailFrom)
				before := c.timed(rcpt("good001")) + c.timed(rcpt("bad001")) +
					c.timed(rcpt("good002"))
				if before < delay { // of good002
					t.Errorf("the first three were answered after %v; want %v", before, delay)
				}
				after := c.timed(rcpt("bad002")) + c.timed(rcpt("bad003")) + c.timed("NOOP")
				if after < 2*delay {
					t.Errorf("two guesses more took %v; want %v", after, 2*delay)
				}
				s.waitDelivered(t, c.sendData(2))
				t.Logf("%v for the first, %v for two more", before, after)
				return before < 2*delay && after < 3*delay
			})
		})
}

// timed sends a line and returns how long the answer takes.
func (c *client) timed(line string) time.Duration {
	c.t.Helper()
	began := time.Now()
	if c.command(line) == "" {
		c.t.Fatalf("%v: %q is not answered", c.Addr, line)
	}
	return time.Since(began)
}

// A session is held back 30 s in all: six answers of 18 for 5 s, not twelve or more.
func TestDelayEnds(t *testing.T) {
	const delay, delays = 5 * time.Second, 6
	conf := "bad_rcpts 0\nbad_rcpts_total 0\nbad_rcpt_delay 5s"
	everySite(t, options{conf: conf}, []kind{daemon, postfix}, func(t *testing.T, s *site) {
		c := s.session(t, way{}, way{}.stranger())
		c.expect("250", mailFrom)
		var all time.Duration
		slow := 0
		for _, name := range names("bad", 3*delays) {
			took := c.timed(rcpt(name))
			if all += took; took > delay/2 { // with sendmail the next answer is late
				slow++
			}
		}
		if all < delays*delay || slow >= 2*delays {
			t.Errorf("the client has waited %v in all, at %d answers; want 30s, at 6", all, slow)
		}
	})
}
