package guard

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// Bad recipients of the null sender end its session, and then defer it, but cause no strikes and no
// block, and do not count in totals. All other mail of the network flows.
func TestNullSender(t *testing.T) {
	const lone = "null bad"
	for _, c := range []struct {
		name, conf string
		sessions   [][2]string // as play has them
		total      int         // bad recipients that the ledger has then
	}{
		{"in one session", "", [][2]string{{"null bad bad bad good", "c c c 421 421"},
			{"null", "450"}, {"null mail good end", "450 c c c"}}, 0},
		{"one a session", "", [][2]string{{lone, "c c"}, {lone, "c c"},
			{lone + " good", "c 421 421"}, {"null", "450"}}, 0},
		{"put off beside a wrong name", "", [][2]string{{"null bad bad bad", "c c c 421"},
			{"mail bad rset null null mail good end", "c c 450 450 c c c"}}, 1},
		{"beside others", "", [][2]string{{lone, "c c"}, {"mail bad", "c c"},
			{"null bad rset mail bad end", "c c c c c"}, {"null good end", "c c c"}}, 2},
		{"mixed", "", [][2]string{{"null bad bad rset mail bad", "c c c c 421"},
			{"mail bad bad rset null bad", "c c c c 421"},
			{"mail good end", "c c c"}}, 3},
		{"a limit of its own", "client 192.0.2.0/24 bad_rcpts=5",
			[][2]string{{"null bad bad bad bad", "c c c c c"}, {"null bad", "c 421"},
				{"null", "450"}}, 0},
		{"no limit for a session", "bad_rcpts 0\nbad_rcpts_total 4/1h",
			[][2]string{{"null bad bad bad", "c c c c"}, {"null bad", "c 421"},
				{"null", "450"}}, 0},
		{"no limit at all", "bad_rcpts 0\nbad_rcpts_total 0",
			[][2]string{{"null bad bad bad bad bad", "c c c c c c"}, {"null", "c"}}, 0},
		{"no total", "bad_rcpts_total 0", [][2]string{{"null bad bad bad", "c c c 421"},
			{"null", "450"}}, 0},
		{"more mail", "", [][2]string{{"mail good good good good end", "c c c c c c"},
			{lone, "c c"}, {lone, "c c"}, {lone, "c c"},
			{lone, "c 421"}, {"null", "450"}, {"mail good good good end", "c c c c c"},
			{"null good", "c c"}}, 0},
		{"more mail, but no total", "bad_rcpts_total 0",
			[][2]string{{"mail good good good good end", "c c c c c c"},
				{lone, "c c"}, {lone, "c c"}, {lone, "c c"}, {lone, "c 421"}}, 0},
		{"observed", "mode observe", [][2]string{{"null bad bad bad bad good end", "c c c c c c c"},
			{"null bad", "c c"}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := stand(t, "bad_rcpt_delay 0s\n"+c.conf+"\n")
			for _, s := range c.sessions {
				m := p.client("192.0.2.1")
				m.play(s[0], s[1])
				m.Close()
			}
			network := netip.MustParsePrefix("192.0.2.1/32")
			p.inOther(func(tx *ledger.Tx) {
				if b, blocked := tx.BlockOf(network.Addr(), network); blocked {
					t.Errorf("it is blocked: %+v", b)
				}
				if n := tx.BadRcpt(network, time.Hour).Bad - 1; n != c.total {
					t.Errorf("%d bad recipients are counted; want %d", n, c.total)
				}
			})
			for _, line := range p.book.lines("BADRCPTS") {
				if strings.Contains(line, " left=") || strings.Contains(line, " strikes=") {
					t.Errorf("it has earned something: %s", line)
				}
			}
			p.client("192.0.3.1").play("null bad", "c c") // a network is counted by itself
		})
	}
}

// The log names the deferred messages in a way that fail2ban's filter does not match.
func TestNullSenderLogged(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 0s\n")
	p.client("192.0.2.1").play("null bad bad bad", "c c c 421")
	line := p.book.await(t, "BADRCPTS", "reply=421")
	const bad = " sender=null network=192.0.2.1/32 bad=3/3 total=0/10 per=1h good=0 total_good=0 " +
		"bounces=3/3 reply=421 "
	if !strings.Contains(line, bad) {
		t.Errorf("%s; want %s", line, bad)
	}
	p.client("192.0.2.1").play("null null", "450 450")
	line = p.book.await(t, "BADRCPTS", "reply=450")
	const off = " sender=null network=192.0.2.1/32 bad=0/3 total=0/10 per=1h good=0 total_good=0 " +
		"bounces=3/3 reply=450 "
	if !strings.Contains(line, off) {
		t.Errorf("%s; want %s", line, off)
	}
	if n := len(p.book.lines("BADRCPTS")); n != 2 {
		t.Errorf("%d lines; want one a session", n)
	}
}

// A session whose null sender was deferred is ended by a block like any other. A block that it
// causes itself has a line of its own.
func TestNullSenderThenBlocked(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 0s\n")
	p.client("192.0.2.1").play("null bad bad bad", "c c c 421")
	p.client("192.0.2.1").play("null mail bad bad bad", "450 c c c 421")
	line := p.book.await(t, "BADRCPTS", " left=")
	if strings.Contains(line, "sender=null") {
		t.Errorf("it says nothing of the block: %s", line)
	}
	if n := p.count(int(decide.BadRcpts)); n != 3 {
		t.Errorf("%d are counted; want 3", n)
	}
}

func TestNullSenderBlocked(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 0s\nblock strikes=3 kill=off\n")
	p.client("192.0.2.1").play("null bad bad bad", "c c c 421")
	m := p.client("192.0.2.1")
	m.play("null", "450")
	p.block("192.0.2.0/24", time.Hour)
	lab.Eventually(t, "the watch has seen it", func() bool {
		return !slices.ContainsFunc(p.allSessions(),
			func(s *session) bool { return !s.blocked.Load() })
	})
	m.play("mail", "421")
}

// This machine's own bounces are never deferred.
func TestNullSenderOwn(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 0s\n")
	for range 5 {
		p.client("127.0.0.1").play("null bad", "c c")
	}
}

// A count is forgotten when its time is over: after the first one or, once the limit is reached,
// after the last one.
func TestBouncesForgotten(t *testing.T) {
	var b bounces
	network := netip.MustParsePrefix("192.0.2.1/32")
	l := &decide.Limits{Bounces: 3, BouncesPer: time.Hour}
	start := time.Now()
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	for i, step := range []struct{ at, of, add int }{
		{0, 0, 1}, {30, 1, 2}, {59, 2, 0}, {60, 0, 1}, {61, 1, 2}, {100, 2, 3}, {159, 3, 0},
		{160, 0, 1},
	} {
		if n := b.of(network, at(step.at)); n != step.of {
			t.Errorf("step %d: %d are known; want %d", i, n, step.of)
		}
		if step.add > 0 {
			if n := b.add(network, at(step.at), l); n != step.add {
				t.Errorf("step %d: the %d. counts as %d", i, step.add, n)
			}
		}
	}
}

// The number of remembered networks is bounded; the latest ones are kept.
func TestBouncesBounded(t *testing.T) {
	var b bounces
	now, l := time.Now(), &decide.Limits{Bounces: 3, BouncesPer: time.Hour}
	network := func(n int) netip.Prefix {
		return netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x::/64", n))
	}
	const all = 3*maxBouncing + 7
	for n := range all {
		b.add(network(n), now, l)
		b.add(network(0), now, l) // which does not cease
	}
	if n := len(b.recent) + len(b.older); n > 2*maxBouncing {
		t.Errorf("%d networks are remembered", n)
	}
	for n := all - maxBouncing + 1; n < all; n++ {
		if b.of(network(n), now) != 1 {
			t.Fatalf("network %d of %d is forgotten", n, all)
		}
	}
	if n := b.of(network(0), now); n != all+1 {
		t.Errorf("%d of one that has never ceased; want %d", n, all+1)
	}
}
