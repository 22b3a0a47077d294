package resolve

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// soon makes the time of each server so short that it is over at once.
func (l *loop) soon() *loop {
	l.source.list.timeout = time.Millisecond
	return l
}

// expire lets the time of the server that is asked now be over.
func (l *loop) expire(q *Query) { l.setDue(q, time.Now()) }

// silent never answers.
func silent(*dnsServer, query, reply) {}

// count is how many queries each server has received.
func count(servers ...*dnsServer) (n []int) {
	for _, s := range servers {
		n = append(n, len(s.queries()))
	}
	return n
}

// received waits until the servers have received as many queries as that.
func (l *loop) received(want []int, servers ...*dnsServer) {
	l.t.Helper()
	l.run(func() bool { return reflect.DeepEqual(count(servers...), want) })
}

// Servers that never answer are asked as often as resolv.conf says, one after the other.
func TestSilentServers(t *testing.T) {
	for attempts := 1; attempts <= 3; attempts++ {
		a, b := serve(t, "127.0.0.1", false, silent), serve(t, "127.0.0.2", false, silent)
		l := resolver(t, a, b).soon()
		l.source.list.attempts = attempts
		if got := l.ask("a.example", A, awhile()); !reflect.DeepEqual(got, Answer{}) {
			t.Errorf("got %+v", got)
		}
		l.received([]int{attempts, attempts}, a, b)
	}
}

// At its end a question has no answer, whatever the servers' time is.
func TestUntil(t *testing.T) {
	s := serve(t, "127.0.0.1", false, silent)
	l := resolver(t, s).patiently()
	until := time.Now().Add(time.Second)
	q := l.Ask(Question{"a.example", A}, until, func(Answer) {})
	if !l.Due().Equal(until) {
		t.Errorf("due %v, want %v", l.Due(), until)
	}
	l.received([]int{1}, s)
	l.Cancel(q)
	if got := l.ask("a.example", A, time.Now().Add(50*time.Millisecond)); got.Result != NoAnswer {
		t.Errorf("got %+v", got)
	}
	l.received([]int{2}, s)
}

// A question goes to the next server within two seconds, though resolv.conf may say more. The last
// server of all has the whole time.
func TestTimes(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct{ timeout, first, last time.Duration }{
		{5 * time.Second, 2 * time.Second, 5 * time.Second},
		{time.Second, time.Second, time.Second},
		{30 * time.Second, 2 * time.Second, 30 * time.Second},
	} {
		s := serve(t, "127.0.0.1", false, silent)
		l := resolver(t, s)
		l.source.list.timeout = tt.timeout
		l.source.list.attempts = 3
		q := l.Ask(Question{"a.example", A}, now.Add(time.Hour), func(Answer) {})
		for i, want := range []time.Duration{tt.first, tt.first, tt.last} {
			if i > 0 {
				now = q.due
				l.onDue(q, now)
			} else {
				now = q.due.Add(-want) // Ask has read the clock
				if since := time.Since(now); since < 0 || since > time.Hour/2 {
					t.Errorf("due %v after Ask", want-since)
				}
			}
			if got := q.due.Sub(now); got != want {
				t.Errorf("timeout %v: attempt %d has %v, want %v", tt.timeout, i+1, got, want)
			}
		}
		l.Cancel(q)
	}
}

// A lost query is repeated, by the same socket with the same id: an answer to either counts.
func TestLost(t *testing.T) {
	var first reply
	s := serve(t, "127.0.0.1", false, func(s *dnsServer, q query, reply reply) {
		if first == nil {
			first = reply
			return
		}
		first(packed(s.t, answer(s.t, q, "a.example. 300 IN A 127.0.0.2")))
	})
	l := resolver(t, s).soon()
	l.source.list.attempts = 2
	q := l.Ask(Question{"a.example", A}, awhile(), func(Answer) {})
	l.run(func() bool { return q.round == 1 })
	l.source.list.timeout = time.Hour
	l.setDue(q, q.until)
	l.run(func() bool { return q.index < 0 })
	queries := s.queries()
	if len(queries) != 2 || queries[0].Id != queries[1].Id || queries[0].from != queries[1].from {
		t.Errorf("got %v", queries)
	}
}

// A server that cannot answer is not waited for, and not asked again.
func TestFailingServers(t *testing.T) {
	for _, tt := range []struct {
		what string
		each [2]func(*dnsServer, query, reply)
		want Result
		asks []int
	}{
		{"SERVFAIL, then an answer", [2]func(*dnsServer, query, reply){
			failing(dns.RcodeServerFailure), listed}, Found, []int{1, 1}},
		{"REFUSED, then an answer", [2]func(*dnsServer, query, reply){
			failing(dns.RcodeRefused), listed}, Found, []int{1, 1}},
		{"garbage, then an answer", [2]func(*dnsServer, query, reply){garbage, listed}, Found,
			[]int{1, 1}},
		{"NXDOMAIN is an answer", [2]func(*dnsServer, query, reply){
			failing(dns.RcodeNameError), listed}, NotFound, []int{1, 0}},
		{"both SERVFAIL", [2]func(*dnsServer, query, reply){failing(dns.RcodeServerFailure),
			failing(dns.RcodeServerFailure)}, Failed, []int{1, 1}},
		{"REFUSED says more", [2]func(*dnsServer, query, reply){failing(dns.RcodeRefused),
			failing(dns.RcodeServerFailure)}, Refused, []int{1, 1}},
		{"in any order", [2]func(*dnsServer, query, reply){failing(dns.RcodeServerFailure),
			failing(dns.RcodeRefused)}, Refused, []int{1, 1}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			a := serve(t, "127.0.0.1", false, tt.each[0])
			b := serve(t, "127.0.0.2", false, tt.each[1])
			l := resolver(t, a, b).patiently()
			if got := l.ask("a.example", A, awhile()); got.Result != tt.want {
				t.Errorf("got %+v, want %v", got, tt.want)
			}
			if got := count(a, b); !reflect.DeepEqual(got, tt.asks) {
				t.Errorf("asked %v times, want %v", got, tt.asks)
			}
		})
	}
}

// garbage is a record that ends behind the message.
func garbage(s *dnsServer, q query, reply reply) {
	m := packed(s.t, answer(s.t, q, "a.example. 300 IN A 127.0.0.2"))
	reply(m[:len(m)-1])
}

// A failing server and a silent one: the failure is not repeated, the silence is; what is known at
// the end is the failure.
func TestFailingAndSilent(t *testing.T) {
	a := serve(t, "127.0.0.1", false, failing(dns.RcodeRefused))
	b := serve(t, "127.0.0.2", false, silent)
	l := resolver(t, a, b).patiently()
	l.source.list.attempts = 3
	var got Answer
	q := l.Ask(Question{"a.example", A}, awhile(), func(a Answer) { got = a })
	for n := range 3 {
		l.received([]int{1, n + 1}, a, b)
		l.expire(q)
	}
	l.run(func() bool { return q.index < 0 })
	if got.Result != Refused {
		t.Errorf("got %+v", got)
	}
	l.received([]int{1, 3}, a, b)
}

// The first server is dead: the second answers.
func TestDeadServer(t *testing.T) {
	a, b := serve(t, "127.0.0.1", false, silent), serve(t, "127.0.0.2", false, listed)
	l := resolver(t, a, b).patiently()
	var got Answer
	q := l.Ask(Question{"a.example", A}, awhile(), func(a Answer) { got = a })
	l.received([]int{1, 0}, a, b)
	l.expire(q)
	l.run(func() bool { return q.index < 0 })
	if got.Result != Found {
		t.Errorf("got %+v", got)
	}
	l.received([]int{1, 1}, a, b)
}

// closed is an address where nobody listens.
func closed(t *testing.T, host string) netip.AddrPort {
	s := serve(t, host, false, nil)
	s.close()
	return s.addr
}

// Where nobody listens, the kernel says so: the next server is asked at once.
func TestClosedPort(t *testing.T) {
	b := serve(t, "127.0.0.2", false, listed)
	l := resolverFor(t, closed(t, "127.0.0.1"), b.addr).patiently()
	if got := l.ask("a.example", A, awhile()); got.Result != Found {
		t.Errorf("got %+v", got)
	}
	if n := l.calls.sends; n != 2 {
		t.Errorf("%d messages sent, want 2", n)
	}
}

// So it is where no way leads.
func TestNoRoute(t *testing.T) {
	b := serve(t, "127.0.0.2", false, listed)
	for _, unreachable := range []string{"[fe80::1%no-such-if]:53", "255.255.255.255:53",
		"[ff02::1%none]:53"} {
		l := resolverFor(t, netip.MustParseAddrPort(unreachable), b.addr).patiently()
		if got := l.ask("a.example", A, awhile()); got.Result != Found {
			t.Errorf("%s: got %+v", unreachable, got)
		}
		alone := resolverFor(t, netip.MustParseAddrPort(unreachable)).soon()
		soon := time.Now().Add(10 * time.Millisecond)
		if got := alone.ask("a.example", A, soon); !reflect.DeepEqual(got, Answer{}) {
			t.Errorf("%s alone: got %+v", unreachable, got)
		}
	}
}

// A server that starts again is asked again when it is time, and the socket is silent meanwhile.
func TestServerStartsAgain(t *testing.T) {
	at := closed(t, "127.0.0.1")
	l := resolverFor(t, at).patiently()
	var got Answer
	q := l.Ask(Question{"a.example", A}, awhile(), func(a Answer) { got = a })
	l.run(func() bool { return q.fd < 0 })
	before := l.handled
	for range 10 {
		l.Handle()
	}
	if l.handled != before || q.index < 0 || l.calls.sends != 1 {
		t.Errorf("not quiet: %d events, ended %v, %+v", l.handled-before, q.index < 0, l.calls)
	}
	s := serveAt(t, at, false, listed)
	l.expire(q)
	l.run(func() bool { return q.index < 0 })
	if got.Result != Found || len(s.queries()) != 1 {
		t.Errorf("got %+v after %d queries", got, len(s.queries()))
	}

	// It is closed for longer than all attempts last, and then there again.
	s.close()
	q = l.Ask(Question{"b.example", A}, awhile(), func(a Answer) { got = a })
	for range 2 * defaultAttempts {
		l.run(func() bool { return q.fd < 0 })
		l.expire(q)
		l.Handle() // which asks
	}
	l.run(func() bool { return q.fd < 0 })
	serveAt(t, at, false, listed)
	l.expire(q)
	l.run(func() bool { return q.index < 0 })
	if got.Result != Found || l.calls.sends < 2+1+2*defaultAttempts+1 {
		t.Errorf("got %+v after %+v", got, l.calls)
	}
}
