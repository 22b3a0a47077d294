package guard

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// 20 sessions at once of which one earns the block: all of them end, whatever they are at.
func TestManyAtOnce(t *testing.T) {
	const grace = time.Second
	everywhere(t, options{conf: "block grace=1s"}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		var others []*client
		for i := range 19 {
			others = append(others, s.midst(t, w, from, i%5))
		}
		c := s.comes(t, w, from)
		pids := []int{mtaOf(t, c)}
		for _, o := range others {
			pids = append(pids, mtaOf(t, o))
		}
		c.wants("250", mailFrom)
		learned(t, c.guesses("bad001", "bad002", "bad003"), 2, 3)
		ends := untilEnd(append(others, c))
		// The one that earned it does not wait, nor do those that have no message on its way: 7 of the others have.
		idle, first, last := ends[12], ends[13], ends[19]
		t.Logf("those without a message ended within %v, the first with one after %v, the last after %v", idle, first, last)
		if idle > grace/2 {
			t.Errorf("a session without a message ended after %v", idle)
		}
		if last > grace+time.Second {
			t.Errorf("the last session ended after %v; want grace + 1s = %v", last, grace+time.Second)
		}
		if first < grace-200*time.Millisecond {
			t.Errorf("a session ended after %v; the grace is %v", first, grace)
		}
		if s.kind.name == inetd.name { // here the ledger knows the processes
			s.guardLog("END network=" + networkOf(from).String() + " ended=7 ")
		}
		if s.kind.name != postfix.name { // whose processes go on with others
			eventually(t, "all MTA processes end", func() bool { return !slices.ContainsFunc(pids, runs) })
		}
	})
}

// 20 sessions that guess at once are caught as one is: bad_rcpts_total many names, and in each of the other sessions the one that
// it has just said. One of them begins the block, and has the line.
func TestGuessingAtOnce(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		const sessions, total = 20, 10
		told := make(chan int)
		var clients []*client
		for range sessions {
			clients = append(clients, s.midst(t, w, from, 2))
		}
		for _, c := range clients {
			go func() { told <- c.rejected(names("bad", 20)) }()
		}
		sum := 0
		for range clients {
			sum += <-told
		}
		if most := total + sessions - 1; sum > most {
			t.Errorf("%d names are told from others; want %d at most", sum, most)
		}
		if l := logged(t, "BADRCPTS", netip.AddrPortFrom(from, 0)); l.fields["total"] != "10/10" && l.fields["bad"] != "3/3" {
			t.Errorf("want total=10/10 or bad=3/3: %s", l.text)
		}
	})
}

// rejected says how many of these names the server says are unknown. It is for goroutines that are not the test's.
func (c *client) rejected(names []string) (n int) {
	for _, name := range names {
		_, _ = c.conn.Write([]byte(rcpt(name) + "\r\n"))
		answer, err := c.listen(answerTime)
		if err != nil || answer == "" {
			break
		}
		if strings.HasPrefix(answer, "550 ") {
			n++
		}
	}
	return n
}

// midst is a client in the midst of a session: it has only been greeted, or has said EHLO, MAIL, RCPT, DATA.
func (s *site) midst(t *testing.T, w way, from netip.Addr, said int) *client {
	t.Helper()
	c := s.enters(t, w, from)
	if said > 0 {
		c.introduces(w)
	}
	if said > 1 {
		c.wants("250", mailFrom)
	}
	if said > 2 {
		c.wants("250", rcpt("good001"))
	}
	if said > 3 {
		c.wants("354", "DATA")
	}
	return c
}

// untilEnd waits for the ends of sessions in which the client says nothing more, and returns after how long they came, the first one first.
func untilEnd(clients []*client) (times []time.Duration) {
	began := time.Now()
	ends := make(chan time.Duration)
	for _, c := range clients {
		go func() {
			for answer, err := "-", error(nil); answer != "" && err == nil; {
				answer, err = c.listen(answerTime)
			}
			ends <- time.Since(began)
		}()
	}
	for range clients {
		times = append(times, <-ends)
	}
	return times
}
