package guard

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// crowd is 20 sessions of one client. 19 of them are at different stages: i%5, see sessionAt.
func (s *site) crowd(t *testing.T, w way, from netip.Addr) (others []*client, last *client) {
	t.Helper()
	for i := range 19 {
		others = append(others, s.sessionAt(t, w, from, i%5))
	}
	return others, s.session(t, w, from)
}

// isBusy reports whether a session of a crowd has begun a message.
func isBusy(i int) bool { return i%5 > 2 }

// getBlocked makes a client name three unknown users.
func getBlocked(t *testing.T, c *client) {
	t.Helper()
	c.expect("250", mailFrom)
	checkAnswers(t, c.tryNames("bad001", "bad002", "bad003"), 2, 3)
	c.waitClosed()
}

// One session of 20 leads to the block. Sessions that have not begun a message end at once, without
// the grace, which is as long as it can be. When they have ended, the others still go on and can
// send their messages. A machine on which that takes half of the grace gets another try.
func TestIdleEndAtOnce(t *testing.T) {
	const tries = 3
	everywhere(t, options{conf: "block grace=60s"}, func(t *testing.T, s *site, w way) {
		for range tries {
			if s.idleEndAtOnce(t, w, 30*time.Second) {
				return
			}
		}
		t.Errorf("sessions without a message ended late %d times: with the grace, or the machine "+
			"is slow", tries)
	})
}

// idleEndAtOnce reports whether the sessions without a message ended in time; then those with one
// must go on.
func (s *site) idleEndAtOnce(t *testing.T, w way, inTime time.Duration) bool {
	t.Helper()
	others, c := s.crowd(t, w, w.stranger())
	began := time.Now()
	getBlocked(t, c)
	for i, o := range others {
		if !isBusy(i) {
			o.waitClosed()
		}
	}
	if time.Since(began) > inTime {
		return false
	}
	for i, o := range others {
		switch i % 5 {
		case 3:
			o.expect("250", "NOOP")
		case 4:
			s.waitDelivered(t, o.sendText(1))
		}
	}
	return true
}

// All sessions end, at whatever stage they are; those with a message after the grace.
func TestManyAtOnce(t *testing.T) {
	const grace = time.Second
	everywhere(t, options{conf: "block grace=1s"}, func(t *testing.T, s *site, w way) {
		others, c := s.crowd(t, w, w.stranger())
		var pids []int
		for _, o := range append(others, c) {
			pids = append(pids, mtaOf(t, o))
		}
		began := time.Now()
		getBlocked(t, c)
		for i, o := range others {
			o.waitClosed()
			if took := time.Since(began); isBusy(i) && took < grace {
				t.Errorf("a session with a message ended after %v; the grace is %v", took, grace)
			}
		}
		if s.kind.name != postfix.name { // its processes go on to serve others
			lab.Eventually(t, "all MTA processes end", func() bool {
				return !slices.ContainsFunc(pids, lab.Running)
			})
		}
	})
}

// If the ledger knows the processes, all of them are ended, even if the guard cannot cut off any
// session, as over TCP. The process of the session that led to the block may have ended before.
func TestProcessesEnd(t *testing.T) {
	o := options{conf: "block grace=1s", tcp: true}
	everySite(t, o, []kind{inetd}, func(t *testing.T, s *site) {
		eachWay(t, s, func(t *testing.T, s *site, w way) {
			from := w.stranger()
			others, c := s.crowd(t, w, from)
			getBlocked(t, c)
			for _, o := range others {
				o.waitClosed()
			}
			s.guardLog("END network=" + networkOf(from).String() + " ended=(19|20) ")
		})
	})
}

// 20 sessions that guess at once learn no more than bad_rcpts_total names together, and in each of
// the other sessions the one name that was under way. One of them leads to the block and has the
// line in the log.
func TestGuessingAtOnce(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		const sessions, total = 20, 10
		learned := make(chan int)
		var clients []*client
		for range sessions {
			clients = append(clients, s.sessionAt(t, w, from, 2))
		}
		for _, c := range clients {
			go func() { learned <- c.countRejected(names("bad", 20)) }()
		}
		sum := 0
		for range clients {
			sum += <-learned
		}
		if most := total + sessions - 1; sum > most {
			t.Errorf("the client has learned about %d names; want %d at most", sum, most)
		}
		l := logged(t, "BADRCPTS", netip.AddrPortFrom(from, 0))
		if l.fields["total"] != "10/10" && l.fields["bad"] != "3/3" {
			t.Errorf("want total=10/10 or bad=3/3: %s", l.text)
		}
	})
}

// countRejected names recipients and returns how many the server rejects as unknown. It may run on
// any goroutine.
func (c *client) countRejected(names []string) (n int) {
	for _, name := range names {
		answer, err := c.Say(rcpt(name))
		if err != nil && !lab.Ended(err) {
			c.t.Errorf("%v: %v", c.Addr, err)
		}
		if err != nil || answer == "" {
			break
		}
		if strings.HasPrefix(answer, "550 ") {
			n++
		}
	}
	return n
}

// sessionAt is a session at a stage: 0 is after the greeting, 1 after EHLO, 2 MAIL, 3 RCPT, 4 DATA.
func (s *site) sessionAt(t *testing.T, w way, from netip.Addr, stage int) *client {
	t.Helper()
	c := s.greeted(t, from)
	if stage > 0 {
		c.introduce(w)
	}
	if stage > 1 {
		c.expect("250", mailFrom)
	}
	if stage > 2 {
		c.expect("250", rcpt("good001"))
	}
	if stage > 3 {
		c.expect("354", "DATA")
	}
	return c
}
