package try

import (
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/dns/dnsmessage"

	"sendwrap/wrapper/dnsbl"
)

// nameserver is the DNS of the show: it answers for the show's lists, over UDP on loopback.
type nameserver struct {
	conn  *net.UDPConn
	at    netip.AddrPort
	ended sync.WaitGroup
}

// openNameserver starts the server. It serves until close.
func openNameserver() (*nameserver, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	at := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	n := &nameserver{conn: conn, at: netip.AddrPortFrom(at.Addr().Unmap(), at.Port())}
	n.ended.Go(n.serve)
	return n, nil
}

func (n *nameserver) close() {
	n.conn.Close()
	n.ended.Wait()
}

func (n *nameserver) serve() {
	question := make([]byte, 1<<16)
	for {
		size, from, err := n.conn.ReadFromUDPAddrPort(question)
		if err != nil {
			return // closed
		}
		if answer, ok := answerTo(question[:size]); ok {
			_, _ = n.conn.WriteToUDPAddrPort(answer, from) // it will be asked again
		}
	}
}

// answerTo is the answer to a message, if that asks one question.
func answerTo(message []byte) (answer []byte, ok bool) {
	var p dnsmessage.Parser
	h, err := p.Start(message)
	if err != nil || h.Response {
		return nil, false
	}
	q, err := p.Question()
	if err != nil {
		return nil, false
	}
	header := dnsmessage.Header{
		ID: h.ID, Response: true, Authoritative: true, RecursionDesired: h.RecursionDesired,
		RecursionAvailable: true, RCode: dnsmessage.RCodeNameError,
	}
	addr, found := listings()[q.Name.String()]
	if found {
		header.RCode = dnsmessage.RCodeSuccess
	}
	b := dnsmessage.NewBuilder(nil, header)
	const ttl = 3600
	of := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: ttl}
	fail := []error{b.StartQuestions(), b.Question(q)}
	if found && q.Type == dnsmessage.TypeA {
		fail = append(fail, b.StartAnswers(), b.AResource(of, dnsmessage.AResource{A: addr.As4()}))
	} else {
		fail = append(fail, b.StartAuthorities(), b.SOAResource(of, dnsmessage.SOAResource{
			NS: q.Name, MBox: q.Name, MinTTL: ttl,
		}))
	}
	for _, err := range fail {
		if err != nil {
			return nil, false
		}
	}
	answer, err = b.Finish()
	return answer, err == nil
}

// listings are all names that there are, with their addresses.
func listings() map[string]netip.Addr {
	yes := netip.AddrFrom4([4]byte{127, 0, 0, 2}) // also what every list must have (RFC 5782 §5)
	lie := netip.AddrFrom4([4]byte{127, 255, 255, 254})
	all := map[string]netip.Addr{}
	add := func(client netip.Addr, zone string, says netip.Addr) {
		all[dnsbl.Name(client, zone)+"."] = says
	}
	add(yes, badZone, yes)
	add(addressOf(onList), badZone, yes)
	add(yes, goodZone, yes)
	add(addressOf(praised), goodZone, yes)
	for _, client := range []netip.Addr{yes, netip.AddrFrom4([4]byte{127, 0, 0, 1}),
		addressOf(onList), addressOf(praised), addressOf(slandered)} {
		add(client, lyingZone, lie)
	}
	return all
}
