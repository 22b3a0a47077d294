package resolve

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// The tests have a network of their own: a port at which nobody listens stays so.
func TestMain(m *testing.M) { os.Exit(lab.Isolate(lab.Setup{Run: m.Run})) }

// A query is one that a server of the tests has received.
type query struct {
	*dns.Msg
	raw   []byte
	from  netip.AddrPort
	byTCP bool
}

// A dnsServer does with queries what a test wants, which may be wrong.
type dnsServer struct {
	t    *testing.T
	addr netip.AddrPort
	udp  *net.UDPConn
	tcp  net.Listener // nil: none

	mu       sync.Mutex
	received []query
}

// reply answers a query with a message: any bytes.
type reply func(message []byte)

// serve starts a server at an address of the loopback. UDP and TCP have the same port, but without
// tcp nobody listens there. It calls each for one query after the other.
func serve(t *testing.T, host string, tcp bool, each func(*dnsServer, query, reply)) *dnsServer {
	t.Helper()
	return serveAt(t, netip.AddrPortFrom(netip.MustParseAddr(host), 0), tcp, each)
}

func serveAt(t *testing.T, at netip.AddrPort, tcp bool,
	each func(*dnsServer, query, reply)) *dnsServer {
	t.Helper()
	s := &dnsServer{t: t}
	s.udp, s.tcp = listen(t, at, tcp)
	s.addr = s.udp.LocalAddr().(*net.UDPAddr).AddrPort()
	var ended sync.WaitGroup
	ended.Go(func() { s.serveUDP(each) })
	if tcp {
		ended.Go(func() { s.serveTCP(each) })
	}
	t.Cleanup(func() {
		s.close()
		ended.Wait()
	})
	return s
}

// listen finds a port that both UDP and TCP have.
func listen(t *testing.T, at netip.AddrPort, tcp bool) (*net.UDPConn, net.Listener) {
	t.Helper()
	for range 100 {
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", udp.LocalAddr().String())
		if err == nil && !tcp {
			l.Close()
			return udp, nil
		}
		if err == nil {
			return udp, l
		}
		udp.Close()
	}
	t.Fatal("no port is free for both")
	return nil, nil
}

func (s *dnsServer) close() {
	s.udp.Close()
	if s.tcp != nil {
		s.tcp.Close()
	}
}

func (s *dnsServer) serveUDP(each func(*dnsServer, query, reply)) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := s.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		q, ok := s.note(buf[:n], from, false)
		if ok && each != nil {
			each(s, q, func(message []byte) {
				_, _ = s.udp.WriteToUDPAddrPort(message, from) // its socket may be closed
			})
		}
	}
}

func (s *dnsServer) serveTCP(each func(*dnsServer, query, reply)) {
	for {
		conn, err := s.tcp.Accept()
		if err != nil {
			return
		}
		s.serveConn(conn, each)
	}
}

func (s *dnsServer) serveConn(conn net.Conn, each func(*dnsServer, query, reply)) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(lab.Patience))
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, message); err != nil {
		return
	}
	q, ok := s.note(message, conn.RemoteAddr().(*net.TCPAddr).AddrPort(), true)
	if !ok || each == nil {
		return
	}
	each(s, q, func(message []byte) {
		_, _ = conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(message))))
		_, _ = conn.Write(message)
	})
}

func (s *dnsServer) note(raw []byte, from netip.AddrPort, byTCP bool) (query, bool) {
	q := query{new(dns.Msg), append([]byte(nil), raw...), from, byTCP}
	if err := q.Unpack(q.raw); err != nil {
		s.t.Errorf("a query that cannot be read: %v: %x", err, raw)
		return q, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, q)
	return q, true
}

func (s *dnsServer) queries() []query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]query(nil), s.received...)
}

// answer is the answer to a query with these records, in the answer section.
func answer(t testing.TB, q query, records ...string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetReply(q.Msg)
	m.RecursionAvailable = true
	for _, r := range records {
		m.Answer = append(m.Answer, record(t, r))
	}
	return m
}

func record(t testing.TB, text string) dns.RR {
	t.Helper()
	rr, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

func packed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// listed answers every query for A with 127.0.0.2.
func listed(s *dnsServer, q query, reply reply) {
	reply(packed(s.t, answer(s.t, q, q.Question[0].Name+" 300 IN A 127.0.0.2")))
}

// failing answers every query with a failure.
func failing(rcode int) func(*dnsServer, query, reply) {
	return func(s *dnsServer, q query, reply reply) {
		m := answer(s.t, q)
		m.Rcode = rcode
		reply(packed(s.t, m))
	}
}

// A loop has a Resolver and calls it as its users do: when FD is readable, or at Due.
type loop struct {
	*Resolver
	t       *testing.T
	handled int
}

// resolver asks these servers, and is closed at the end of the test.
func resolver(t *testing.T, servers ...*dnsServer) *loop {
	var addrs []netip.AddrPort
	for _, s := range servers {
		addrs = append(addrs, s.addr)
	}
	return resolverFor(t, addrs...)
}

func resolverFor(t *testing.T, addrs ...netip.AddrPort) *loop {
	l := &loop{Resolver: New(addrs), t: t}
	t.Cleanup(l.Close)
	return l
}

// patiently makes the time of each server so long that nothing in a test follows from it.
func (l *loop) patiently() *loop {
	l.source.list.timeout = time.Hour
	return l
}

// awhile is the time that a question has if nothing in the test follows from its end.
func awhile() time.Time { return time.Now().Add(time.Hour) }

// run lets the Resolver work until ok holds.
func (l *loop) run(ok func() bool) {
	l.t.Helper()
	last := time.Now().Add(lab.Patience)
	for !ok() {
		if time.Now().After(last) {
			l.t.Fatalf("nothing more happens; %d queries, due %v, now %v, calls %+v", len(l.due),
				l.Due(), time.Now(), l.calls)
		}
		wait := 10 * time.Millisecond // a server in another goroutine may make ok hold
		if due := l.Due(); !due.IsZero() {
			wait = min(wait, time.Until(due))
		}
		fds := []unix.PollFd{{Fd: int32(l.FD()), Events: unix.POLLIN}}
		ms := int((max(wait, 0) + time.Millisecond - 1) / time.Millisecond)
		if n, _ := unix.Poll(fds, ms); n > 0 || !l.Due().IsZero() && !l.Due().After(time.Now()) {
			l.handled++
			l.Handle()
		}
	}
}

// ask asks one question and returns its answer.
func (l *loop) ask(name string, of Type, until time.Time) (a Answer) {
	l.t.Helper()
	ended := 0
	l.Ask(Question{name, of}, until, func(got Answer) { a, ended = got, ended+1 })
	if ended > 0 {
		l.t.Error("Ask itself has answered")
	}
	l.run(func() bool { return ended > 0 })
	l.Handle()
	if ended > 1 {
		l.t.Errorf("%d answers to one question", ended)
	}
	l.idle()
	a.Took = 0 // which is nobody's to foretell
	return a
}

// idle checks that nothing is left of any query.
func (l *loop) idle() {
	l.t.Helper()
	if len(l.due) > 0 || !l.waiting.empty() || len(l.free) != len(l.open) || !l.Due().IsZero() {
		l.t.Errorf("left over: %d queries, waiting %v, %d of %d slots, due %v", len(l.due),
			!l.waiting.empty(), len(l.open)-len(l.free), len(l.open), l.Due())
	}
	for _, q := range l.open {
		if q != nil {
			l.t.Errorf("a slot has %q still", q.question.Name)
		}
	}
}
