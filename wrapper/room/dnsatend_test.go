package room

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// A room that was stopped finds both at once, the end of a delay and an answer of DNS. It hears the
// answer first, as a process with one client does, though the poller cannot report all that has
// happened in one round.
func TestAnswerAndEnd(t *testing.T) {
	for _, talkers := range []int{0, len(new(poller).events) + 1} {
		resolver, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer resolver.Close()
		h := build(t, fmt.Sprintf("%sresolver %v\ndnsbl bad.example\ndnsbl_threshold 1\n"+
			"block off\nclient 127.9.0.0/16 dnsbl=off\n", slow, resolver.LocalAddr()))
		err = h.door.Ledger.Run(func(t *ledger.Tx) { t.PassListTest("bad.example") })
		if err != nil {
			t.Fatal(err)
		}
		all := h.guests(talkers)
		h.until("they wait", func() bool { return h.countWaiting() == talkers })
		h.guest("127.8.0.1")
		h.until("DNS is asked", func() bool { _, asked := h.door.UntilDNS(); return asked })
		for _, c := range all {
			speaks(t, c)
		}
		for c := range h.delay(longDelay).all {
			if c.session.Client.Addr().String() != "127.8.0.1" {
				seen(t, c.session.FD)
			}
		}
		replyListed(t, resolver)
		fd, _ := h.door.DNSDescriptor()
		seen(t, fd)
		later(h.delay(longDelay), longDelay)
		h.until("nobody waits", func() bool { return h.delay(longDelay).len == 0 })
		if h.logged("DNSBL client=[127.8.0.1]") != 1 || h.logged("PREGREET ") != talkers {
			t.Errorf("%d talkers: log %q", talkers, h.lines)
		}
	}
}

// replyListed answers the next question: the address is on the list.
func replyListed(t *testing.T, resolver net.PacketConn) {
	t.Helper()
	var text [512]byte
	_ = resolver.SetReadDeadline(time.Now().Add(lab.Patience))
	n, from, err := resolver.ReadFrom(text[:])
	if err != nil {
		t.Fatal(err)
	}
	q, a := new(dns.Msg), new(dns.Msg)
	if err := q.Unpack(text[:n]); err != nil {
		t.Fatal(err)
	}
	a.SetReply(q)
	listed, err := dns.NewRR(a.Question[0].Name + " 300 IN A 127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	a.Answer = append(a.Answer, listed)
	packed, err := a.Pack()
	if err == nil {
		_, err = resolver.WriteTo(packed, from)
	}
	if err != nil {
		t.Fatal(err)
	}
}
