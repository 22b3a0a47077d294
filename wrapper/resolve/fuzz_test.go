package resolve

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// FuzzAnswer reads any message as the answer to a question. What is found is what another library
// finds in it, of the name that was asked or that CNAMEs lead to.
func FuzzAnswer(f *testing.F) {
	q := query{Msg: new(dns.Msg).SetQuestion("a.example.", dns.TypeA)}
	q.Id = 0x1234
	for _, records := range [][]string{nil, {"a.example. 300 IN A 127.0.0.2"},
		{"a.example. 60 IN CNAME b.example.", "b.example. 60 IN A 127.0.0.2"},
		{"a.example. 60 IN CNAME a.example."}, {"a.example. 300 IN PTR mail.example.org."},
		{"a.example. 60 IN AAAA 2001:db8::1"}} {
		for of := range 3 {
			m := answer(f, q, records...)
			m.Question[0].Qtype = uint16([]Type{A, PTR, AAAA}[of])
			if records == nil {
				m.Ns = append(m.Ns, record(f, soa))
			}
			m.Compress = true
			f.Add(packed(f, m), byte(of))
		}
	}
	f.Fuzz(func(t *testing.T, message []byte, of byte) {
		kind := []Type{A, PTR, AAAA}[of%3]
		got, what := read(message, 0x1234, Question{"a.example", kind})
		checkAnswer(t, got, what)
		if what != answered || got.Result != Found && got.Result != NotFound {
			return
		}
		var m dns.Msg
		if m.Unpack(message) != nil {
			return // it is stricter, with types that we do not read
		}
		if !m.Response || m.Id != 0x1234 || len(m.Question) != 1 ||
			!strings.EqualFold(m.Question[0].Name, "a.example.") ||
			m.Question[0].Qtype != uint16(kind) || m.Truncated ||
			m.Rcode&15 != dns.RcodeSuccess && m.Rcode&15 != dns.RcodeNameError {
			t.Fatalf("no answer, but read as %+v: %v", got, &m)
		}
		if m.Rcode&15 == dns.RcodeNameError {
			m.Answer = nil
		}
		addrs, names := reachable(&m, uint16(kind))
		if len(addrs) <= maxRecords && !slices.Equal(got.Addrs, addrs) {
			t.Fatalf("got %v, want %v of %v", got.Addrs, addrs, &m)
		}
		for _, name := range got.Names {
			if !slices.Contains(names, name+".") {
				t.Fatalf("got %q, but there is %q in %v", name, names, &m)
			}
		}
	})
}

func checkAnswer(t *testing.T, got Answer, what reading) {
	t.Helper()
	n := len(got.Addrs) + len(got.Names)
	if n > maxRecords || (n > 0) != (got.Result == Found) || got.TTL < 0 ||
		got.TTL.Seconds() > maxTTL || what != answered && (n > 0 || got.Result != NoAnswer) ||
		what == answered && got.Result == NoAnswer {
		t.Fatalf("%v: got %+v", what, got)
	}
	for _, name := range got.Names {
		if hostName(name+".") != name {
			t.Fatalf("got the name %q", name)
		}
	}
}

// reachable are the records of a type that belong to a.example, or to what it is an alias of.
func reachable(m *dns.Msg, of uint16) (addrs []netip.Addr, names []string) {
	name := "a.example."
	for range maxChain {
		i := slices.IndexFunc(m.Answer, func(rr dns.RR) bool {
			return rr.Header().Class == dns.ClassINET && rr.Header().Rrtype == dns.TypeCNAME &&
				strings.EqualFold(rr.Header().Name, name)
		})
		if i < 0 {
			break
		}
		name = m.Answer[i].(*dns.CNAME).Target
	}
	for _, rr := range m.Answer {
		if h := rr.Header(); h.Class != dns.ClassINET || h.Rrtype != of ||
			!strings.EqualFold(h.Name, name) {
			continue
		}
		switch rr := rr.(type) {
		case *dns.A:
			addr, _ := netip.AddrFromSlice(rr.A.To4())
			addrs = append(addrs, addr)
		case *dns.AAAA:
			addr, _ := netip.AddrFromSlice(rr.AAAA.To16())
			addrs = append(addrs, addr)
		case *dns.PTR:
			names = append(names, strings.ToLower(rr.Ptr))
		}
	}
	return addrs, names
}
