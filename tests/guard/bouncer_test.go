package guard

import (
	"net/netip"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

const mailFromNobody = "MAIL FROM:<>"

// An attacker that forges senders of our domain makes real mail servers send us their bounces.
// These servers are not blocked for them, and their other mail gets through at once.
func TestBouncer(t *testing.T) {
	eachSender(t, options{}, kinds, func(t *testing.T, x *sending) {
		forged := names("bad", 5)
		author := x.as
		x.as = "<>"
		for i, name := range forged {
			x.start([]string{name})
			lab.Eventually(t, "it was tried", func() bool { return len(x.fates()[name]) > 0 })
			if f := x.fates()[name][0]; (f == "bounced") != (i < 3) {
				t.Errorf("bounce %d of an hour: %s", i+1, f)
			}
		}
		x.as = author
		if f := x.send("good001")["good001"]; len(f) != 1 || f[0] != "sent" {
			t.Errorf("its own mail: %q; want it sent at the first try", f)
		}
		if reason := x.site.blocked()[networkOf(x.from)]; reason != "" {
			t.Errorf("it is blocked for %s", reason)
		}
		unlogged(t, "BLOCKED", x.from)
		for _, line := range logLines(t, "BADRCPTS", netip.AddrPortFrom(x.from, 0), 1) {
			if l := parseLine(t, line); l.punished() {
				t.Errorf("it led to a strike or a block: %s", line)
			}
		}
		if t.Failed() {
			t.Log(x.lines(), maillog.Containing(x.from.String()))
		}
	})
}

// punished reports whether the session of a line led to a strike or a block.
func (l line) punished() bool { return l.fields["strikes"] != "" || l.fields["left"] != "" }

// The null sender is no way to get through a dictionary: from one address it learns what one
// session may, in any way, and then other senders learn no more than without it.
func TestNullSenderLearns(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		for _, each := range []int{20, 1} {
			from := w.stranger()
			words := names("bad", 60)
			learned := s.learn(t, w, from, mailFromNobody, each, &words)
			if learned > 3 {
				t.Errorf("%d a session: %d names by MAIL FROM:<>; want 3", each, learned)
			}
			if reason := s.blocked()[networkOf(from)]; reason != "" {
				t.Errorf("it is blocked for %s", reason)
			}
			then := s.learn(t, w, from, mailFrom, each, &words)
			if most := map[int]int{20: 3, 1: 10}[each]; then > most {
				t.Errorf("%d a session: then %d names by another sender; want %d", each, then, most)
			}
			t.Logf("%d a session: %d by MAIL FROM:<>, then %d", each, learned, then)
		}
	})
}

// learn makes a client try names, a number of them in each session, until the sender or the
// connection is refused or there are no names left. It returns how many were answered.
func (s *site) learn(t *testing.T, w way, from netip.Addr, sender string, each int,
	words *[]string) (n int) {
	t.Helper()
	for len(*words) > 0 {
		c, greeting := s.connect(t, from)
		if !strings.HasPrefix(greeting, "220 ") {
			return n
		}
		c.introduce(w)
		if !strings.HasPrefix(c.command(sender), "250") {
			return n
		}
		some := (*words)[:min(each, len(*words))]
		for _, answer := range c.tryNames(some...) {
			if strings.HasPrefix(answer, "550") {
				n++
			}
		}
		*words = (*words)[len(some):]
		c.Close()
	}
	return n
}

// Sessions in which the null sender has a message under way learn nothing more once one of them has
// named too many unknown recipients. Sessions of other clients, and of other senders, go on.
func TestNullSendersAtOnce(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		elsewhere := way{v6: !w.v6, tls: w.tls} // in another network
		other, neighbour := s.session(t, w, from), s.session(t, elsewhere, elsewhere.stranger())
		other.expect("250", mailFrom)
		neighbour.expect("250", mailFromNobody)
		var all []*client
		for range 6 {
			c := s.session(t, w, from)
			c.expect("250", mailFromNobody)
			all = append(all, c)
		}
		checkAnswers(t, all[0].tryNames(names("bad", 4)...), 2, 3)
		all[0].waitClosed()
		for _, c := range all[1:] {
			if answers := c.waitClosed(); len(answers) > 1 {
				t.Errorf("%v hears %q", c.Addr, answers)
			}
		}
		other.expect("250", rcpt("good001"))
		s.waitDelivered(t, other.sendData(1))
		neighbour.expect("250", rcpt("good001"))
		neighbour.expect("250", "RSET")
		c := s.session(t, w, from)
		c.expect("450 4.7.0 ", mailFromNobody)
		s.waitDelivered(t, c.sendMessage("good002"))
		unlogged(t, "BLOCKED", from)
	})
}

// An account with a provider is not enough to get the provider blocked: if much good mail comes
// from there, sessions with too many wrong names end, and that is all.
func TestProvider(t *testing.T) {
	everywhere(t, options{}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		guess := func(good, bad int) {
			t.Helper()
			c := s.session(t, w, from)
			c.expect("250", mailFrom)
			for _, name := range names("good", good) {
				c.expect("250", rcpt(name))
			}
			c.tryNames(names("bad", bad)...)
			if bad >= 3 {
				c.waitClosed()
			} else {
				c.expect("221", "QUIT")
			}
		}
		deliver := func(good int) {
			t.Helper()
			c := s.session(t, w, from)
			s.waitDelivered(t, c.sendMessage(names("good", good)...))
			c.expect("221", "QUIT")
		}
		unharmed := func(after string) {
			t.Helper()
			if err := maillog.Settle(); err != nil {
				t.Fatal(err)
			}
			all := about("(?:"+trouble+")", netip.AddrPortFrom(from, 0))
			for _, line := range maillog.Matching(all) {
				if l := parseLine(t, line); l.word != "BADRCPTS" || l.punished() {
					t.Errorf("%s: %s", after, line)
				}
			}
			if reason := s.blocked()[networkOf(from)]; reason != "" {
				t.Fatalf("%s: it is blocked for %s", after, reason)
			}
		}
		guess(200, 3)
		unharmed("200 good ones and 3 bad")
		deliver(200)
		for range 3 {
			guess(66, 1)
		}
		unharmed("the same over sessions")
		for range 4 {
			guess(0, 3)
		}
		for range 10 {
			guess(0, 1)
		}
		unharmed("28 wrong names in an hour")
		deliver(1)
	})
}
