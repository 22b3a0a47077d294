package resolve

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// cut answers by UDP that there is more by TCP, and with what each does there.
func cut(byTCP func(*dnsServer, query, reply)) func(*dnsServer, query, reply) {
	return func(s *dnsServer, q query, reply reply) {
		if q.byTCP {
			byTCP(s, q, reply)
			return
		}
		m := answer(s.t, q, "a.example. 300 IN A 127.0.0.66")
		m.Truncated = true
		reply(packed(s.t, m))
	}
}

func TestTruncated(t *testing.T) {
	s := serve(t, "127.0.0.1", true, cut(listed))
	l := resolver(t, s).patiently()
	if got := l.ask("a.example", A, awhile()); !reflect.DeepEqual(got, found(300, "127.0.0.2")) {
		t.Errorf("got %+v", got)
	}
	q := s.queries()
	if len(q) != 2 || !q[1].byTCP || q[0].Id == q[1].Id || q[1].IsEdns0() == nil {
		t.Errorf("got %v", q)
	}
}

// A message that is longer than we have said is as a truncated one.
func TestTooLong(t *testing.T) {
	for _, size := range []int{maxDatagram, maxDatagram + 1, 4096} {
		s := serve(t, "127.0.0.1", true, func(s *dnsServer, q query, reply reply) {
			if q.byTCP {
				listed(s, q, reply)
				return
			}
			m := answer(t, q, "a.example. 300 IN A 127.0.0.4")
			m.SetEdns0(4096, false)
			padding := &dns.EDNS0_PADDING{Padding: make([]byte, size-m.Len()-4)}
			m.IsEdns0().Option = append(m.IsEdns0().Option, padding)
			if m.Len() != size {
				t.Errorf("%d bytes, want %d", m.Len(), size)
			}
			reply(packed(t, m))
		})
		want := found(300, "127.0.0.2")
		if size == maxDatagram {
			want = found(300, "127.0.0.4")
		}
		l := resolver(t, s).patiently()
		if got := l.ask("a.example", A, awhile()); !reflect.DeepEqual(got, want) {
			t.Errorf("%d bytes: got %+v", size, got)
		}
	}
}

// A server whose TCP fails is asked no more; the next one is.
func TestStreamFails(t *testing.T) {
	denied := func(edit func(*dns.Msg)) func(*dnsServer, query, reply) {
		return func(s *dnsServer, q query, reply reply) {
			m := answer(s.t, q, "a.example. 300 IN A 127.0.0.66")
			edit(m)
			reply(packed(s.t, m))
		}
	}
	raw := func(bytes string) func(*dnsServer, query, reply) {
		return func(s *dnsServer, q query, reply reply) { reply([]byte(bytes)) }
	}
	for what, byTCP := range map[string]func(*dnsServer, query, reply){
		"nobody listens":      nil,
		"closes":              silent,
		"an empty message":    raw(""),
		"three bytes":         raw("abc"),
		"no DNS":              raw(strings.Repeat("HTTP/1.1 400 Bad Request\r\n", 10)),
		"another id":          denied(func(m *dns.Msg) { m.Id++ }),
		"another question":    denied(func(m *dns.Msg) { m.Question[0].Name = "b.example." }),
		"truncated once more": denied(func(m *dns.Msg) { m.Truncated = true }),
		"SERVFAIL":            denied(func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }),
		"garbage":             garbage,
	} {
		t.Run(what, func(t *testing.T) {
			a := serve(t, "127.0.0.1", byTCP != nil, cut(byTCP))
			l := resolver(t, a).patiently()
			if got := l.ask("a.example", A, awhile()); !reflect.DeepEqual(got,
				Answer{Result: Failed}) {
				t.Errorf("alone: got %+v", got)
			}
			b := serve(t, "127.0.0.2", false, listed)
			l = resolver(t, a, b).patiently()
			if got := l.ask("a.example", A, awhile()); !reflect.DeepEqual(got,
				found(300, "127.0.0.2")) {
				t.Errorf("with another: got %+v", got)
			}
			want := 4 // by UDP and by TCP, twice
			if byTCP == nil {
				want = 2
			}
			if got := count(a, b); !reflect.DeepEqual(got, []int{want, 1}) {
				t.Errorf("asked %v times", got)
			}
		})
	}
}

// A server that promises an answer by TCP and keeps it costs the time of one server, not more than
// that of the question.
func TestStreamSilent(t *testing.T) {
	gate := make(chan struct{})
	a := serve(t, "127.0.0.1", true, cut(func(*dnsServer, query, reply) { <-gate }))
	t.Cleanup(func() { close(gate) })
	b := serve(t, "127.0.0.2", false, listed)
	l := resolver(t, a, b).patiently()
	var got Answer
	q := l.Ask(Question{"a.example", A}, awhile(), func(a Answer) { got = a })
	l.received([]int{2, 0}, a, b)
	calls := l.calls
	l.Handle()
	if q.stream == nil || l.calls.reads != calls.reads {
		t.Errorf("not waiting for TCP: %+v, %+v before", l.calls, calls)
	}
	l.expire(q)
	l.run(func() bool { return q.index < 0 })
	if got.Result != Found {
		t.Errorf("got %+v", got)
	}
}

// The accept queue of a server is full: connect(2) does not end.
func TestStreamNeverConnects(t *testing.T) {
	a := serve(t, "127.0.0.1", false, cut(nil))
	fill := listenFull(t, a.addr)
	defer fill()
	l := resolver(t, a).patiently()
	var got Answer
	q := l.Ask(Question{"a.example", A}, awhile(), func(a Answer) { got, got.Took = a, 0 })
	l.run(func() bool { return q.stream != nil })
	for range 10 {
		l.Handle()
	}
	if len(q.stream.out) == 0 {
		t.Error("the question is written already")
	}
	l.expire(q)
	l.run(func() bool { return q.index < 0 })
	if !reflect.DeepEqual(got, Answer{Result: Failed}) {
		t.Errorf("got %+v", got)
	}
}

// The longest message there is comes one byte at a time. It is read as it comes, without spinning.
func TestLongestMessageByteByByte(t *testing.T) {
	const size = 1<<16 - 1
	gate := make(chan struct{}, 1)
	s := serve(t, "127.0.0.1", false, cut(nil))
	listener, err := net.Listen("tcp", s.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(lab.Patience))
		for i, b := range longest(t, conn, size) {
			if i%256 == 0 {
				<-gate // not before what was sent has been read
			}
			_, _ = conn.Write([]byte{b})
		}
		<-gate
	}()
	l := resolver(t, s).patiently()
	var got *Answer
	q := l.Ask(Question{"a.example", A}, awhile(), func(a Answer) { got = &a })
	for n := 0; n < size+lengthSize; n = min(n+256, size+lengthSize) {
		l.run(func() bool { return got != nil || q.stream != nil && len(q.stream.in) == n })
		if q.stream != nil && cap(q.stream.in) > 2*n+4096 {
			t.Fatalf("a buffer of %d bytes for %d", cap(q.stream.in), n)
		}
		gate <- struct{}{}
	}
	l.run(func() bool { return got != nil })
	gate <- struct{}{}
	if got.Result != Found || len(got.Addrs) != maxRecords || got.TTL != 300*time.Second {
		t.Errorf("got %v with %d records", got.Result, len(got.Addrs))
	}
	if c := l.calls; c.reads > 2*size+100 || c.waits > size+size/2 {
		t.Errorf("more work than bytes: %+v", c)
	}
}

// longest is an answer of that size to the question that comes by a connection.
func longest(t *testing.T, conn net.Conn, size int) []byte {
	var length [2]byte
	_, _ = io.ReadFull(conn, length[:])
	raw := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, _ = io.ReadFull(conn, raw)
	q := query{Msg: new(dns.Msg)}
	if err := q.Unpack(raw); err != nil {
		t.Error(err)
		return nil
	}
	m := answer(t, q)
	m.Compress = true
	for i := range 4000 {
		m.Answer = append(m.Answer, record(t, fmt.Sprintf("a.example. 300 IN A 127.0.%d.%d", i/256,
			i%256)))
	}
	text := record(t, "a.example. 1 IN TXT x").(*dns.TXT)
	m.Extra = append(m.Extra, text)
	rest := size - m.Len() + 2
	text.Txt = nil
	for rest > 0 {
		n := min(rest-1, 255)
		text.Txt = append(text.Txt, strings.Repeat("x", n))
		rest -= n + 1
	}
	message := packed(t, m)
	if len(message) != size {
		t.Errorf("%d bytes", len(message))
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(size)), message...)
}

// listenFull listens there with an accept queue that is full. It returns what ends that.
func listenFull(t *testing.T, at netip.AddrPort) (end func()) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	if err := unix.Bind(fd, to); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	fds := []int{fd}
	for range 3 {
		c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, c)
		_ = unix.Connect(c, to)
	}
	return func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}
