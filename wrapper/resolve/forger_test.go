package resolve

import (
	"net"
	"net/netip"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

// forgeries is how many messages a forger sends before the true answer.
const forgeries = 10_000

// forged is what a forger wants to be believed.
func forged(t *testing.T, q query) *dns.Msg {
	return answer(t, q, q.Question[0].Name+" 86400 IN A 127.0.0.66")
}

// A forger knows everything of a query, and answers first, from another address and from another
// port. The kernel keeps that from us: not one of its messages is read.
func TestForgerElsewhere(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "127.0.0.9"} {
		forger, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(
			netip.AddrPortFrom(netip.MustParseAddr(host), 0)))
		if err != nil {
			t.Fatal(err)
		}
		defer forger.Close()
		s := serve(t, "127.0.0.1", true, func(s *dnsServer, q query, reply reply) {
			m := packed(t, forged(t, q))
			for range forgeries {
				_, _ = forger.WriteToUDPAddrPort(m, q.from) // ECONNREFUSED says it was not taken
			}
			listed(s, q, reply)
		})
		l := resolver(t, s).patiently()
		got := l.ask("a.example", A, awhile())
		if !reflect.DeepEqual(got, found(300, "127.0.0.2")) || l.calls.reads != 1 {
			t.Errorf("a forger at %s: got %+v in %d reads", host, got, l.calls.reads)
		}
	}
}

// A forger has the server's address and port, and the port of the query. What it has to guess is
// the id. Of all its messages a few are looked at; then the question goes by TCP.
func TestForgerGuesses(t *testing.T) {
	var byTCP, byUDP atomic.Int32
	s := serve(t, "127.0.0.1", true, func(s *dnsServer, q query, reply reply) {
		if q.byTCP {
			byTCP.Add(1)
			listed(s, q, reply)
			return
		}
		byUDP.Add(1)
		m := forged(t, q)
		for i := range forgeries {
			m.Id = q.Id + 1 + uint16(i) // never the right one
			reply(packed(t, m))
		}
		m.Id = q.Id
		reply(packed(t, m)) // now it is: too late
	})
	l := resolver(t, s).patiently()
	got := l.ask("a.example", A, awhile())
	if !reflect.DeepEqual(got, found(300, "127.0.0.2")) {
		t.Errorf("got %+v", got)
	}
	if byUDP.Load() != 1 || byTCP.Load() != 1 || l.calls.reads > 2*maxReads {
		t.Errorf("asked %d times by UDP and %d by TCP, with %d reads", byUDP.Load(), byTCP.Load(),
			l.calls.reads)
	}
	if a, b := s.queries()[0].Id, s.queries()[1].Id; a == b {
		t.Error("by TCP it has the same id")
	}
}

// A few messages that are no answer do no harm: the true one is waited for.
func TestForeignMessages(t *testing.T) {
	s := serve(t, "127.0.0.1", false, func(s *dnsServer, q query, reply reply) {
		for _, edit := range []func(*dns.Msg){
			func(m *dns.Msg) { m.Id++ },
			func(m *dns.Msg) { m.Question[0].Name = "b.example." },
			func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA },
			func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
			func(m *dns.Msg) { m.Response = false },
			func(m *dns.Msg) { m.Truncated, m.Id = true, m.Id-1 },
		} {
			m := forged(t, q)
			edit(m)
			reply(packed(t, m))
		}
		reply(nil)
		reply([]byte{1})
		listed(s, q, reply)
	})
	l := resolver(t, s).patiently()
	if got := l.ask("a.example", A, awhile()); !reflect.DeepEqual(got, found(300, "127.0.0.2")) {
		t.Errorf("got %+v", got)
	}
	if len(s.queries()) != 1 {
		t.Errorf("%d queries", len(s.queries()))
	}
}
