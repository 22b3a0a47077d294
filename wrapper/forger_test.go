package wrapper

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
)

// forgedDNS is a resolver whose every answer a forger knows beforehand. Before the true one come
// others, which say the opposite of each client: from another port, from another address, with
// another id, and about another name. The true one comes by TCP, byte by byte.
type forgedDNS struct {
	t               *testing.T
	udp, port, host *net.UDPConn
	tcp             net.Listener
	lists           map[string]bool // by zone: it has the client
}

func newForgedDNS(t *testing.T, lists map[string]bool) (addr netip.AddrPort) {
	t.Helper()
	f := &forgedDNS{t: t, lists: lists}
	listen := func(host string) *net.UDPConn {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	f.port, f.host = listen("127.0.0.1"), listen("127.0.0.9")
	for f.tcp == nil { // until a port is free for both
		f.udp = listen("127.0.0.1")
		f.tcp, _ = net.Listen("tcp", f.udp.LocalAddr().String())
	}
	t.Cleanup(func() { f.tcp.Close() })
	go f.serveUDP()
	go f.serveTCP()
	return f.udp.LocalAddr().(*net.UDPAddr).AddrPort()
}

// answer is what the lists say, or of a client the opposite.
func (f *forgedDNS) answer(query []byte, truth bool) *dns.Msg {
	q, m := new(dns.Msg), new(dns.Msg)
	if q.Unpack(query) != nil || len(q.Question) != 1 {
		return nil
	}
	m.SetReply(q)
	host, zone, _ := strings.Cut(strings.ToLower(q.Question[0].Name), ".secret.")
	has := host == "2.0.0.127" || host == reversed && f.lists[strings.TrimSuffix(zone, ".example.")]
	if has == (truth || host != reversed) {
		rr, err := dns.NewRR(q.Question[0].Name + " 300 IN A 127.0.0.2")
		if err != nil {
			return nil
		}
		m.Answer = []dns.RR{rr}
	} else {
		m.Rcode = dns.RcodeNameError
	}
	return m
}

func (f *forgedDNS) serveUDP() {
	b := make([]byte, 2048)
	for {
		n, from, err := f.udp.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		m := f.answer(b[:n], false)
		if m == nil {
			continue
		}
		send := func(c *net.UDPConn, m *dns.Msg) {
			if raw, err := m.Pack(); err == nil {
				_, _ = c.WriteToUDPAddrPort(raw, from)
			}
		}
		send(f.port, m)
		send(f.host, m)
		other := m.Copy()
		other.Id++
		send(f.udp, other)
		other = m.Copy()
		other.Question[0].Name = "x." + other.Question[0].Name
		send(f.udp, other)
		m.Answer, m.Rcode, m.Truncated = nil, dns.RcodeSuccess, true
		send(f.udp, m)
	}
}

func (f *forgedDNS) serveTCP() {
	for {
		c, err := f.tcp.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			var size [2]byte
			for {
				if _, err := io.ReadFull(c, size[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(c, query); err != nil {
					return
				}
				raw, err := f.answer(query, true).Pack()
				if err != nil {
					return
				}
				raw = append([]byte{byte(len(raw) >> 8), byte(len(raw))}, raw...)
				for i := range raw {
					if _, err := c.Write(raw[i : i+1]); err != nil {
						return
					}
				}
			}
		}()
	}
}

// A forger that answers first neither has a client refused nor welcomed: the door waits for the
// answer of the server that it has asked, with the id and the question, however that comes.
func TestForger(t *testing.T) {
	for _, tt := range []struct {
		lists map[string]bool
		want  decide.Verdict
	}{
		{map[string]bool{"bad": true, "good": false}, decide.DNSBL},
		{map[string]bool{"bad": false, "good": true}, decide.DNSWL},
	} {
		n := lab.NewNameserver(t)
		n.Addr = newForgedDNS(t, tt.lists)
		d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3, "good": -2})
		if s, _, _ := d.meet(t, nil); s.Verdict != tt.want {
			t.Errorf("%v: %v; want %v", tt.lists, s.Verdict, tt.want)
		}
	}
}
