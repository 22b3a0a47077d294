package tests

import (
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"
)

// A forger sees each question that a nameserver is asked by UDP, and answers first: from another
// port, from another address, with another id, about another name. All that it cannot do is to send
// the server's own packets.
type forger struct {
	records   records
	elsewhere []net.PacketConn // where the server is not
}

const (
	forgeries = 1000 // of each kind
	guesses   = 4    // of ids and of names: not so many that the question goes by TCP
	flooded   = ".flooded.test."
)

func newForger(ts *testscript.TestScript, r records) *forger {
	f := &forger{records: r}
	server, err := netip.ParseAddr(ts.Getenv("DNS"))
	ts.Check(err)
	other := server.As4()
	other[1]++ // no script's server is there
	for _, at := range []netip.AddrPort{
		netip.AddrPortFrom(server, 0), netip.AddrPortFrom(netip.AddrFrom4(other), 53),
	} {
		conn, err := net.ListenPacket("udp", at.String())
		ts.Check(err)
		ts.Defer(func() { conn.Close() })
		f.elsewhere = append(f.elsewhere, conn)
	}
	return f
}

// answer sends the forgeries. About names below [flooded] they are so many that the socket of the
// question is full before the true answer comes.
func (f *forger) answer(w dns.ResponseWriter, q *dns.Msg) {
	m := f.records.answer(q)
	raw, err := m.Pack()
	if err != nil {
		return
	}
	for _, conn := range f.elsewhere {
		for range forgeries {
			_, _ = conn.WriteTo(raw, w.RemoteAddr())
		}
	}
	n := guesses
	if strings.HasSuffix(strings.ToLower(q.Question[0].Name), flooded) {
		n = forgeries
	}
	otherName := m.Copy()
	otherName.Question[0].Name = "x." + otherName.Question[0].Name
	for i := range n {
		m.Id = q.Id + 1 + uint16(i)
		_ = w.WriteMsg(m)
		_ = w.WriteMsg(otherName)
	}
}
