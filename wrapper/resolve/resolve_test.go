package resolve

import (
	"net"
	"net/netip"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

func TestAsk(t *testing.T) {
	s := serve(t, "127.0.0.1", false, func(s *dnsServer, q query, reply reply) {
		name := q.Question[0].Name
		switch name {
		case "listed.example.":
			reply(packed(t, answer(t, q, name+" 300 IN A 127.0.0.2")))
		case "six.example.":
			reply(packed(t, answer(t, q, name+" 60 IN AAAA 2001:db8::1")))
		case "1.2.0.192.in-addr.arpa.":
			reply(packed(t, answer(t, q, name+" 9 IN PTR Mail.example.org.")))
		default:
			m := answer(t, q)
			m.Rcode, m.Ns = dns.RcodeNameError, []dns.RR{record(t, soa)}
			reply(packed(t, m))
		}
	})
	l := resolver(t, s).patiently()
	if l.FD() != -1 || !l.Due().IsZero() {
		t.Errorf("before the first question: FD %d, due %v", l.FD(), l.Due())
	}
	l.Handle()
	for _, tt := range []struct {
		q    Question
		want Answer
	}{
		{Question{"listed.example", A}, found(300, "127.0.0.2")},
		{Question{"six.example", AAAA}, found(60, "2001:db8::1")},
		{Question{"1.2.0.192.in-addr.arpa", PTR}, named(9, "mail.example.org")},
		{Question{"clean.example", A}, notFound(120)},
	} {
		if got := l.ask(tt.q.Name, tt.q.Type, awhile()); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v: got %+v, want %+v", tt.q, got, tt.want)
		}
	}
	for _, q := range s.queries() {
		opt := q.IsEdns0()
		if !q.RecursionDesired || q.Response || len(q.Question) != 1 ||
			q.Question[0].Qclass != dns.ClassINET || opt == nil || opt.UDPSize() != 1232 ||
			opt.Version() != 0 {
			t.Errorf("a query without what it needs: %v", q)
		}
	}
	if n := len(s.queries()); n != 4 {
		t.Errorf("%d queries for 4 questions", n)
	}
}

func TestIPv6Server(t *testing.T) {
	if probe, err := net.Listen("tcp", "[::1]:0"); err != nil {
		lab.Need(t, "needs IPv6 on the loopback")
	} else {
		probe.Close()
	}
	l := resolver(t, serve(t, "::1", false, listed)).patiently()
	if got := l.ask("a.example", A, awhile()); got.Result != Found {
		t.Errorf("got %+v", got)
	}
}

// The name of an interface stands for its number.
func TestZone(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for name, want := range map[string]uint32{"": 0, "lo": 1, "7": 7, "no-such-interface-0": 0,
		"none0": 0} {
		if got := zone(fd, name); got != want {
			t.Errorf("zone(%q) = %d, want %d", name, got, want)
		}
	}
}

// What is no name of DNS is no question for a server.
func TestNoName(t *testing.T) {
	s := serve(t, "127.0.0.1", false, listed)
	l := resolver(t, s).patiently()
	long := string(slices.Repeat([]byte("abcdefg."), 32))
	for _, name := range []string{"a..b", ".a", "a.", long + "a", long[:64] + long[:63],
		string(slices.Repeat([]byte("x"), 64)) + ".example"} {
		valid := name == long[:64]+long[:63]
		if got := l.ask(name, A, awhile()); (got.Result == Found) != valid ||
			!valid && !reflect.DeepEqual(got, Answer{}) {
			t.Errorf("%q: got %+v", name, got)
		}
	}
	if n := len(s.queries()); n != 1 {
		t.Errorf("%d queries, want that of the one valid name", n)
	}
}

// A question that has no time left is not asked.
func TestNoTime(t *testing.T) {
	s := serve(t, "127.0.0.1", false, listed)
	l := resolver(t, s)
	for _, until := range []time.Time{{}, time.Now(), time.Now().Add(-time.Hour)} {
		if got := l.ask("a.example", A, until); !reflect.DeepEqual(got, Answer{}) {
			t.Errorf("until %v: got %+v", until, got)
		}
	}
	if n := len(s.queries()); n > 0 {
		t.Errorf("%d queries", n)
	}
}

func TestCancel(t *testing.T) {
	var silent atomic.Bool
	silent.Store(true)
	s := serve(t, "127.0.0.1", false, func(s *dnsServer, q query, reply reply) {
		if !silent.Load() {
			listed(s, q, reply)
		}
	})
	l := resolver(t, s).patiently()
	l.Cancel(nil)
	never := func(Answer) { t.Error("an answer to a question that was canceled") }
	var queries []*Query
	for range maxSockets + 100 {
		queries = append(queries, l.Ask(Question{"a.example", A}, awhile(), never))
	}
	answers := 0
	last := l.Ask(Question{"b.example", A}, awhile(), func(Answer) { answers++ })
	l.Cancel(queries[maxSockets+50]) // one that waits
	l.Cancel(queries[0])             // one that is asked
	l.Cancel(queries[0])
	silent.Store(false)
	for _, q := range queries {
		l.Cancel(q)
	}
	l.run(func() bool { return answers > 0 })
	l.Cancel(last)
	l.idle()
	if len(l.open) > maxSockets {
		t.Errorf("%d sockets", len(l.open))
	}
}

// What is called with an answer may ask, cancel and close: also queries whose events have been
// read already.
func TestWithinDone(t *testing.T) {
	gate := make(chan struct{})
	s := serve(t, "127.0.0.1", false, func(s *dnsServer, q query, reply reply) {
		<-gate
		listed(s, q, reply)
	})
	l := resolver(t, s).patiently()
	var queries [20]*Query
	answers, again := 0, 0
	for i := range queries {
		queries[i] = l.Ask(Question{"a.example", A}, awhile(), func(Answer) {
			answers++
			for j := range queries {
				l.Cancel(queries[j])
			}
			for range 5 {
				l.Ask(Question{"b.example", A}, awhile(), func(Answer) { again++ })
			}
		})
	}
	close(gate)
	l.run(func() bool { return again == 5 })
	l.idle()
	if answers != 1 {
		t.Errorf("%d answers, 19 of them to canceled questions", answers-1)
	}

	for range 20 {
		l.Ask(Question{"a.example", A}, awhile(), func(Answer) {
			answers++
			l.Close()
		})
	}
	answers = 0
	l.run(func() bool { return answers > 0 })
	l.Handle()
	if answers != 1 || l.FD() != -1 || !l.Due().IsZero() {
		t.Errorf("closed: %d answers, FD %d, due %v", answers, l.FD(), l.Due())
	}
	if got := l.ask("a.example", A, awhile()); got.Result != Found {
		t.Errorf("opened again: got %+v", got)
	}
}

// One that asks again with each answer, and for no time, does not keep Handle from returning.
func TestAskAgainForNoTime(t *testing.T) {
	l := resolver(t, serve(t, "127.0.0.1", false, nil))
	n := 0
	var again func(Answer)
	again = func(Answer) {
		n++
		l.Ask(Question{"a.example", A}, time.Time{}, again)
	}
	l.Ask(Question{"a.example", A}, time.Time{}, again)
	for range 10 {
		l.Handle()
	}
	if n != 10 {
		t.Errorf("%d answers in 10 calls of Handle", n)
	}
}

// Ids cannot be guessed, nor can ports: each query has others.
func TestIdsAndPorts(t *testing.T) {
	s := serve(t, "127.0.0.1", false, listed)
	l := resolver(t, s).patiently()
	const all = 2000
	n := 0
	for range all {
		l.Ask(Question{"a.example", A}, awhile(), func(Answer) { n++ })
		l.run(func() bool { return n == len(s.queries()) && len(l.due) == 0 })
	}
	ids, ports, next := map[uint16]bool{}, map[uint16]bool{}, 0
	queries := s.queries()
	for i, q := range queries {
		ids[q.Id], ports[q.from.Port()] = true, true
		if i > 0 && (q.Id-queries[i-1].Id < 16 || q.from.Port()-queries[i-1].from.Port() < 4) {
			next++
		}
	}
	// 2,000 of 65,536: 30 twice by chance, and 0.5 after another within 16. Of 28,000 ports 70.
	if len(ids) < all-100 || len(ports) < all/2 || next > all/10 {
		t.Errorf("%d queries have %d ids and %d ports; %d of them next to the last", all, len(ids),
			len(ports), next)
	}
}

func TestServers(t *testing.T) {
	given := []netip.AddrPort{netip.MustParseAddrPort("[::ffff:192.0.2.1]:5353"),
		netip.MustParseAddrPort("[2001:db8::1]:53")}
	want := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:5353"), given[1]}
	if got := New(given).Servers(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
