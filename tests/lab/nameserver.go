package lab

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Nameserver answers questions of DNS on loopback, over UDP, as a test says. A name that it does
// not know does not exist.
type Nameserver struct {
	Addr netip.AddrPort

	mu      sync.Mutex
	records map[dns.Question][]dns.RR
	held    map[string]bool
	codes   map[string]int
	asked   map[string]map[question]bool
}

// A question is repeated by the same socket, with the same number.
type question struct {
	from string
	id   uint16
}

// soa is what says for how long a name does not exist.
const soa = "lab.example. 120 IN SOA ns.lab.example. postmaster.lab.example. 1 3600 600 86400 120"

// NewNameserver starts a server that ends with the test. Records are as in a zone file, with whole
// names: "2.0.0.127.bl.example. 300 IN A 127.0.0.2".
func NewNameserver(t testing.TB, records ...string) *Nameserver {
	t.Helper()
	n := &Nameserver{
		records: map[dns.Question][]dns.RR{}, held: map[string]bool{}, codes: map[string]int{},
		asked: map[string]map[question]bool{},
	}
	n.Add(t, records...)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.Addr = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(n.answer)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.ActivateAndServe()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return n
}

// Add adds records.
func (n *Nameserver) Add(t testing.TB, records ...string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		h := rr.Header()
		q := dns.Question{Name: strings.ToLower(h.Name), Qtype: h.Rrtype, Qclass: dns.ClassINET}
		n.records[q] = append(n.records[q], rr)
	}
}

// AddList adds a list that behaves, and has these addresses with 127.0.0.2 for an hour.
func (n *Nameserver) AddList(t testing.TB, zone string, reversed ...string) {
	t.Helper()
	for _, name := range append([]string{"2.0.0.127"}, reversed...) {
		n.Add(t, name+"."+zone+". 3600 IN A 127.0.0.2")
	}
}

// Hold has the server not answer what is asked about a name, or, with "", about any.
func (n *Nameserver) Hold(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held[name] = true
}

// Release has the server answer again what is asked.
func (n *Nameserver) Release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.held)
}

// Fail has the server answer with an error code what is asked about a name.
func (n *Nameserver) Fail(name string, code int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.codes[name] = code
}

// Asked is how often the server was asked about a name, without the dot at its end. A question that
// a resolver has repeated counts once: it does so if the machine has stopped meanwhile.
func (n *Nameserver) Asked(name string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.asked[name])
}

func (n *Nameserver) answer(w dns.ResponseWriter, q *dns.Msg) {
	if len(q.Question) != 1 {
		return
	}
	of := q.Question[0]
	of.Name = strings.ToLower(of.Name)
	name := strings.TrimSuffix(of.Name, ".")
	n.mu.Lock()
	if n.asked[name] == nil {
		n.asked[name] = map[question]bool{}
	}
	n.asked[name][question{w.RemoteAddr().String(), q.Id}] = true
	held := n.held[name] || n.held[""]
	records, code := n.records[of], n.codes[name]
	n.mu.Unlock()
	if held {
		return
	}
	m := new(dns.Msg)
	m.SetReply(q)
	m.Answer, m.Rcode = records, code
	if len(records) == 0 && code == 0 {
		m.Rcode = dns.RcodeNameError
		if rr, err := dns.NewRR(soa); err == nil {
			m.Ns = append(m.Ns, rr)
		}
	}
	_ = w.WriteMsg(m)
}
