package lookup

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/dnsbl"
)

// A list that does not answer, while others do, is silent; a resolver that answers nothing says
// nothing about any list.
func TestSilence(t *testing.T) {
	n := lab.NewNameserver(t)
	n.AddList(t, "good.example")
	n.Fail(reversed+".bad.example", dns.RcodeServerFailure)
	l, r := outcome(t, n, request(weigh("good", 1), weigh("bad", 1)))
	if h := l.Health(0); h != (Health{Asked: true, Answered: true}) {
		t.Errorf("the list that answers: %+v", h)
	}
	if h := l.Health(1); h != (Health{Asked: true, Silent: true}) {
		t.Errorf("the list that does not: %+v", h)
	}
	if ttl := l.TTL(time.Minute, time.Hour); ttl != time.Minute {
		t.Errorf("kept for %v; want %v: an answer is missing", ttl, time.Minute)
	}
	if !r.Done || r.Score.Highest != 0 {
		t.Errorf("%+v; want it done", r)
	}
	n.Hold("")
	q := request(weigh("good", 1), weigh("bad", 1))
	q.Test, q.Until = q.Ask, time.Now().Add(3*time.Second)
	l, _ = outcome(t, n, q)
	for i := range q.Lists {
		if h := l.Health(i); h != (Health{Asked: true}) {
			t.Errorf("list %d behind a dead resolver: %+v", i, h)
		}
	}
}

// A resolver that reaches no other server fails at every question. That says nothing about a list.
func TestResolverReachesNobody(t *testing.T) {
	n := lab.NewNameserver(t)
	for _, name := range []string{reversed, "2.0.0.127", "1.0.0.127"} {
		n.Fail(name+".one.example", dns.RcodeServerFailure)
		n.Fail(name+".two.example", dns.RcodeServerFailure)
	}
	q := request(weigh("one", 1), weigh("two", -1))
	q.Test = q.Ask
	l, _ := outcome(t, n, q)
	for i := range q.Lists {
		if h := l.Health(i); h != (Health{Asked: true}) {
			t.Errorf("list %d: %+v", i, h)
		}
	}
	if !l.Unheard() {
		t.Error("DNS has answered")
	}
}

// A list whose answer was not waited for long enough is not silent, nor has it failed a test. One
// that was, has.
func TestTooShortForSilence(t *testing.T) {
	n := lab.NewNameserver(t)
	n.AddList(t, "good.example")
	for _, name := range []string{reversed, "2.0.0.127", "1.0.0.127"} {
		n.Hold(name + ".bad.example")
	}
	for d := leastWait / 4; ; d *= 2 {
		q := request(weigh("good", 1), weigh("bad", 1))
		q.Test, q.Until = q.Ask, time.Now().Add(d)
		l, _ := outcome(t, n, q)
		h := l.Health(1)
		if d < leastWait && h != (Health{Asked: true}) {
			t.Errorf("after %v: %+v", d, h)
		}
		if h == (Health{Asked: true, Silent: true, Test: Failed, Why: dnsbl.NoAnswer}) {
			return // sooner or later, as fast as the machine is
		}
		if d > lab.Patience {
			t.Fatalf("after %v: %+v; want it silent", d, h)
		}
	}
}
