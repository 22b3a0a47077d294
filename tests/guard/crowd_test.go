package guard

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// crowd is 20 sessions of one client, of which 19 are in the midst of something: i%5 says of what.
func (s *site) crowd(t *testing.T, w way, from netip.Addr) (others []*client, earns *client) {
	t.Helper()
	for i := range 19 {
		others = append(others, s.sessionAt(t, w, from, i%5))
	}
	return others, s.session(t, w, from)
}

// isBusy says whether a session of a crowd has a message on its way.
func isBusy(i int) bool { return i%5 > 2 }

// earnBlock has a client name three unknown users.
func earnBlock(t *testing.T, c *client) {
	t.Helper()
	c.expect("250", mailFrom)
	checkAnswers(t, c.tryNames("bad001", "bad002", "bad003"), 2, 3)
	c.waitClosed()
}

// One session of 20 earns the block. Those without a message on its way do not wait for the grace,
// which is long here: the others have not ended yet when these have, and can still deliver their
// messages.
func TestIdleEndAtOnce(t *testing.T) {
	const grace = time.Minute
	everywhere(t, options{conf: "block grace=60s"}, func(t *testing.T, s *site, w way) {
		others, c := s.crowd(t, w, w.stranger())
		began := time.Now()
		earnBlock(t, c)
		for i, o := range others {
			if !isBusy(i) {
				o.waitClosed()
			}
		}
		if took := time.Since(began); took >= grace {
			t.Errorf("those without a message ended within %v; the grace is %v", took, grace)
		}
		for i, o := range others {
			switch i % 5 {
			case 3:
				o.expect("250", "NOOP")
			case 4:
				s.waitDelivered(t, o.sendText(1))
			}
		}
	})
}

// All of them end, whatever they are at; those with a message after the grace.
func TestManyAtOnce(t *testing.T) {
	const grace = time.Second
	everywhere(t, options{conf: "block grace=1s"}, func(t *testing.T, s *site, w way) {
		others, c := s.crowd(t, w, w.stranger())
		var pids []int
		for _, o := range append(others, c) {
			pids = append(pids, mtaOf(t, o))
		}
		began := time.Now()
		earnBlock(t, c)
		for i, o := range others {
			o.waitClosed()
			if took := time.Since(began); isBusy(i) && took < grace {
				t.Errorf("a session with a message ended after %v; the grace is %v", took, grace)
			}
		}
		if s.kind.name != postfix.name { // whose processes go on with others
			lab.Eventually(t, "all MTA processes end", func() bool {
				return !slices.ContainsFunc(pids, lab.Running)
			})
		}
	})
}

// Where the ledger knows the processes, all of them are ended, also if the guard cannot cut off any
// (which it cannot over TCP). The process of the session that has earned it may have ended before.
func TestProcessesEnd(t *testing.T) {
	o := options{conf: "block grace=1s", tcp: true}
	everySite(t, o, []kind{inetd}, func(t *testing.T, s *site) {
		eachWay(t, s, func(t *testing.T, s *site, w way) {
			from := w.stranger()
			others, c := s.crowd(t, w, from)
			earnBlock(t, c)
			for _, o := range others {
				o.waitClosed()
			}
			s.guardLog("END network=" + networkOf(from).String() + " ended=(19|20) ")
		})
	})
}

// 20 sessions that guess at once are caught as one is: bad_rcpts_total many names, and in each of
// the other sessions the one that it has just said. One of them begins the block, and has the line.
func TestGuessingAtOnce(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		const sessions, total = 20, 10
		told := make(chan int)
		var clients []*client
		for range sessions {
			clients = append(clients, s.sessionAt(t, w, from, 2))
		}
		for _, c := range clients {
			go func() { told <- c.countRejected(names("bad", 20)) }()
		}
		sum := 0
		for range clients {
			sum += <-told
		}
		if most := total + sessions - 1; sum > most {
			t.Errorf("%d names are told from others; want %d at most", sum, most)
		}
		l := logged(t, "BADRCPTS", netip.AddrPortFrom(from, 0))
		if l.fields["total"] != "10/10" && l.fields["bad"] != "3/3" {
			t.Errorf("want total=10/10 or bad=3/3: %s", l.text)
		}
	})
}

// countRejected says how many of these names the server says are unknown. It is for goroutines that are
// not the test's.
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

// sessionAt is a client in the midst of a session: it has only been greeted, or has said EHLO, MAIL,
// RCPT, DATA.
func (s *site) sessionAt(t *testing.T, w way, from netip.Addr, said int) *client {
	t.Helper()
	c := s.greeted(t, from)
	if said > 0 {
		c.introduce(w)
	}
	if said > 1 {
		c.expect("250", mailFrom)
	}
	if said > 2 {
		c.expect("250", rcpt("good001"))
	}
	if said > 3 {
		c.expect("354", "DATA")
	}
	return c
}
