package resolve

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const soa = "example. 3600 IN SOA ns.example. hostmaster.example. 1 7200 3600 86400 120"

// chain are CNAMEs that lead from c0 to cN, and the address of cN.
func chain(n int) (records []string) {
	for i := range n {
		records = append(records, fmt.Sprintf("c%d.example. 60 IN CNAME c%d.example.", i, i+1))
	}
	return append(records, fmt.Sprintf("c%d.example. 60 IN A 127.0.0.2", n))
}

func reversed(list []string) []string {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// many are n records of one name.
func many(n int, of string) (records []string) {
	for i := range n {
		records = append(records, fmt.Sprintf(of, i))
	}
	return records
}

func found(ttl int, addrs ...string) Answer {
	a := Answer{Result: Found, TTL: time.Duration(ttl) * time.Second}
	for _, s := range addrs {
		a.Addrs = append(a.Addrs, netip.MustParseAddr(s))
	}
	return a
}

func named(ttl int, names ...string) Answer {
	return Answer{Result: Found, Names: names, TTL: time.Duration(ttl) * time.Second}
}

func notFound(ttl int) Answer {
	return Answer{Result: NotFound, TTL: time.Duration(ttl) * time.Second}
}

func TestRead(t *testing.T) {
	failed := Answer{Result: Failed}
	denied := func(m *dns.Msg) { m.Rcode = dns.RcodeNameError }
	withSOA := func(m *dns.Msg) { m.Ns = append(m.Ns, record(t, soa)) }
	tests := []struct {
		what    string
		name    string
		of      Type
		records []string
		edit    []func(*dns.Msg)
		want    Answer
	}{
		{"one address", "a.example", A, []string{"a.example. 300 IN A 127.0.0.2"}, nil,
			found(300, "127.0.0.2")},
		{"the smallest TTL of several", "a.example", A, []string{"a.example. 300 IN A 127.0.0.2",
			"a.example. 30 IN A 127.0.0.4", "a.example. 90 IN A 127.0.0.10"}, nil,
			found(30, "127.0.0.2", "127.0.0.4", "127.0.0.10")},
		{"IPv6", "a.example", AAAA, []string{"a.example. 5 IN AAAA 2001:db8::1"}, nil,
			found(5, "2001:db8::1")},
		{"another case", "a.example", A, []string{"A.eXample. 300 IN A 127.0.0.2"}, nil,
			found(300, "127.0.0.2")},
		{"an address of another name", "a.example", A, []string{"b.example. 300 IN A 127.0.0.2"},
			[]func(*dns.Msg){withSOA}, notFound(120)},
		{"addresses of both", "a.example", A, []string{"b.example. 1 IN A 127.0.0.3",
			"a.example. 300 IN A 127.0.0.2", "c.example. 1 IN A 127.0.0.4"}, nil,
			found(300, "127.0.0.2")},
		{"of another class", "a.example", A, []string{"a.example. 300 CH A 127.0.0.2"}, nil,
			notFound(0)},
		{"of another type", "a.example", A, []string{"a.example. 300 IN AAAA 2001:db8::1",
			`a.example. 300 IN TXT "127.0.0.2"`}, nil, notFound(0)},
		{"no such name", "a.example", A, nil, []func(*dns.Msg){denied, withSOA}, notFound(120)},
		{"no such name, no SOA", "a.example", A, nil, []func(*dns.Msg){denied}, notFound(0)},
		{"no such record", "a.example", A, nil, []func(*dns.Msg){withSOA}, notFound(120)},
		{"a SOA that lives shorter than it says", "a.example", A, nil, []func(*dns.Msg){denied,
			func(m *dns.Msg) {
				m.Ns = []dns.RR{record(t, "example. 3600 IN NS ns.example."),
					record(t, strings.Replace(soa, "3600", "7", 1))}
			}}, notFound(7)},
		{"a TTL that means 0", "a.example", A, []string{"a.example. 2147483648 IN A 127.0.0.2"},
			nil, found(0, "127.0.0.2")},
		{"the largest TTL", "a.example", A, []string{"a.example. 2147483647 IN A 127.0.0.2"},
			nil, found(1<<31-1, "127.0.0.2")},
		{"more than count", "a.example", A, many(100, "a.example. 300 IN A 127.0.0.%d"), nil,
			func() Answer {
				a := found(300)
				for i := range maxRecords {
					a.Addrs = append(a.Addrs, netip.AddrFrom4([4]byte{127, 0, 0, byte(i)}))
				}
				return a
			}()},

		{"CNAMEs", "c0.example", A, chain(3), nil, found(60, "127.0.0.2")},
		{"CNAMEs from behind", "c0.example", A, reversed(chain(3)), nil, found(60, "127.0.0.2")},
		{"the TTL of a CNAME", "a.example", A, []string{"a.example. 2 IN CNAME b.example.",
			"b.example. 60 IN A 127.0.0.2"}, nil, found(2, "127.0.0.2")},
		{"16 CNAMEs", "c0.example", A, chain(16), nil, found(60, "127.0.0.2")},
		{"17 CNAMEs", "c0.example", A, chain(17), nil, failed},
		{"CNAMEs in a circle", "a.example", A, []string{"a.example. 60 IN CNAME b.example.",
			"b.example. 60 IN CNAME a.example.", "b.example. 60 IN A 127.0.0.2"}, nil, failed},
		{"a CNAME to itself", "a.example", A, []string{"a.example. 60 IN CNAME a.example.",
			"a.example. 60 IN A 127.0.0.2"}, nil, failed},
		{"a CNAME to nothing", "a.example", A, []string{"a.example. 60 IN CNAME b.example."},
			[]func(*dns.Msg){denied, withSOA}, notFound(60)},
		{"a CNAME of another name", "a.example", A, []string{"x.example. 60 IN CNAME b.example.",
			"b.example. 60 IN A 127.0.0.2"}, nil, notFound(0)},
		{"denied, with an address", "a.example", A, []string{"a.example. 60 IN A 127.0.0.2"},
			[]func(*dns.Msg){denied}, notFound(0)},

		{"a name", "1.2.0.192.in-addr.arpa", PTR,
			[]string{"1.2.0.192.in-addr.arpa. 300 IN PTR Mail.Example.ORG."}, nil,
			named(300, "mail.example.org")},
		{"a name by RFC 2317", "1.2.0.192.in-addr.arpa", PTR, []string{
			"1.2.0.192.in-addr.arpa. 300 IN CNAME 1.0/25.2.0.192.in-addr.arpa.",
			"1.0/25.2.0.192.in-addr.arpa. 200 IN PTR mail.example.org."}, nil,
			named(200, "mail.example.org")},
		{"names that no host has, with one that may", "1.2.0.192.in-addr.arpa", PTR, []string{
			`1.2.0.192.in-addr.arpa. 1 IN PTR mail\032x.example.`,
			`1.2.0.192.in-addr.arpa. 1 IN PTR a\.b.example.`,
			`1.2.0.192.in-addr.arpa. 1 IN PTR \000.example.`,
			`1.2.0.192.in-addr.arpa. 1 IN PTR \010x=y.example.`,
			`1.2.0.192.in-addr.arpa. 1 IN PTR \195\164.example.`,
			`1.2.0.192.in-addr.arpa. 1 IN PTR .`,
			`1.2.0.192.in-addr.arpa. 300 IN PTR a_b-c.0.example.`}, nil,
			named(300, "a_b-c.0.example")},
		{"only such names", "1.2.0.192.in-addr.arpa", PTR, []string{
			`1.2.0.192.in-addr.arpa. 300 IN PTR mail\032x.example.`}, nil, notFound(0)},
		{"more names than count", "1.2.0.192.in-addr.arpa", PTR,
			many(2000, "1.2.0.192.in-addr.arpa. 300 IN PTR n%d.example."), nil,
			named(300, func() (names []string) {
				for i := range maxRecords {
					names = append(names, fmt.Sprintf("n%d.example", i))
				}
				return names
			}()...)},

		{"SERVFAIL", "a.example", A, nil, []func(*dns.Msg){
			func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }}, failed},
		{"FORMERR without a question", "a.example", A, nil, []func(*dns.Msg){
			func(m *dns.Msg) { m.Rcode, m.Question = dns.RcodeFormatError, nil }}, failed},
		{"REFUSED", "a.example", A, nil, []func(*dns.Msg){
			func(m *dns.Msg) { m.Rcode = dns.RcodeRefused }}, Answer{Result: Refused}},
		{"REFUSED without a question", "a.example", A, nil, []func(*dns.Msg){
			func(m *dns.Msg) { m.Rcode, m.Question = dns.RcodeRefused, nil }},
			Answer{Result: Refused}},
		{"a referral", "a.example", A, nil, []func(*dns.Msg){func(m *dns.Msg) {
			m.RecursionAvailable = false
			m.Ns = []dns.RR{record(t, "example. 3600 IN NS ns.example.")}
		}}, failed},
		{"an empty answer of its own", "a.example", A, nil, []func(*dns.Msg){withSOA,
			func(m *dns.Msg) { m.RecursionAvailable, m.Authoritative = false, true }},
			notFound(120)},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			q := query{Msg: new(dns.Msg).SetQuestion(tt.name+".", uint16(tt.of))}
			for _, compress := range []bool{false, true} {
				m := answer(t, q, tt.records...)
				m.Compress = compress
				for _, edit := range tt.edit {
					edit(m)
				}
				got, what := read(packed(t, m), q.Id, Question{tt.name, tt.of})
				if what != answered || !reflect.DeepEqual(got, tt.want) {
					t.Errorf("compressed %v: got %v %+v, want %+v", compress, what, got, tt.want)
				}
			}
		})
	}
}

// What is no answer to the question does not count, whatever it says.
func TestReadForeign(t *testing.T) {
	q := query{Msg: new(dns.Msg).SetQuestion("a.example.", dns.TypeA)}
	one := []string{"a.example. 300 IN A 127.0.0.2"}
	for what, edit := range map[string]func(*dns.Msg){
		"id":          func(m *dns.Msg) { m.Id++ },
		"query":       func(m *dns.Msg) { m.Response = false },
		"opcode":      func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
		"name":        func(m *dns.Msg) { m.Question[0].Name = "b.example." },
		"longer name": func(m *dns.Msg) { m.Question[0].Name = "a.example.a." },
		"type":        func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA },
		"class":       func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
		"no question": func(m *dns.Msg) { m.Question = nil },
		"two":         func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) },
		"a failure of something else": func(m *dns.Msg) {
			m.Rcode, m.Question[0].Name = dns.RcodeRefused, "b.example."
		},
		"denied without a question": func(m *dns.Msg) {
			m.Rcode, m.Question = dns.RcodeNameError, nil
		},
	} {
		t.Run(what, func(t *testing.T) {
			m := answer(t, q, one...)
			edit(m)
			a, what := read(packed(t, m), q.Id, Question{"a.example", A})
			if what != foreign || !reflect.DeepEqual(a, Answer{}) {
				t.Errorf("got %v %+v", what, a)
			}
		})
	}
	m := packed(t, answer(t, q, one...))
	for n := range 12 + len("\x01a\x07example\x00") + 4 {
		if a, what := read(m[:n], q.Id, Question{"a.example", A}); what != foreign {
			t.Errorf("%d bytes: got %v %+v", n, what, a)
		}
	}
}

// A message that lies about itself is a failure of its server.
func TestReadLies(t *testing.T) {
	const question = "\x01a\x07example\x00\x00\x01\x00\x01"
	message := func(answers byte, rest string) []byte {
		return []byte("\x12\x34\x81\x80\x00\x01\x00" + string(answers) + "\x00\x00\x00\x00" +
			question + rest)
	}
	const a = "\x00\x01\x00\x01\x00\x00\x01\x2c" // type, class, TTL
	for what, rest := range map[string]string{
		"fewer records than counted":  "",
		"a name that is cut":          "\x05ab",
		"a header that is cut":        "\xc0\x0c\x00\x01\x00\x01\x00\x00",
		"a pointer to itself":         "\xc0\x1b" + a + "\x00\x04\x7f\x00\x00\x02",
		"a pointer beyond the end":    "\xff\xff" + a + "\x00\x04\x7f\x00\x00\x02",
		"pointers in a circle":        "\xc0\x1d\xc0\x1b" + a + "\x00\x04\x7f\x00\x00\x02",
		"a label of a reserved kind":  "\x40ab\x00" + a + "\x00\x04\x7f\x00\x00\x02",
		"a record beyond the end":     "\xc0\x0c" + a + "\x00\x05\x7f\x00\x00\x02",
		"64 KiB beyond the end":       "\xc0\x0c" + a + "\xff\xff\x7f\x00\x00\x02",
		"an address of three bytes":   "\xc0\x0c" + a + "\x00\x03\x7f\x00\x00",
		"an address of five bytes":    "\xc0\x0c" + a + "\x00\x05\x7f\x00\x00\x02\x00",
		"an address of no byte":       "\xc0\x0c" + a + "\x00\x00",
		"a name longer than any":      strings.Repeat("\x09too large", 30) + "\x00" + a,
		"a CNAME beyond the end":      "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x00\x00\xff\x01b\x00",
		"a CNAME with a pointer loop": "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x00\x00\x02\xc0\x27",
	} {
		t.Run(what, func(t *testing.T) {
			got, kind := read(message(1, rest), 0x1234, Question{"a.example", A})
			if kind != answered || !reflect.DeepEqual(got, Answer{Result: Failed}) {
				t.Errorf("got %v %+v", kind, got)
			}
		})
	}
	const record = "\xc0\x0c" + a + "\x00\x04\x7f\x00\x00\x02"
	for what, rest := range map[string]string{
		"ends with the first":      "",
		"has a second that is cut": record[:len(record)-1],
		"has half a header":        record[:7],
	} {
		got, _ := read(message(2, record+rest), 0x1234, Question{"a.example", A})
		if !reflect.DeepEqual(got, Answer{Result: Failed}) {
			t.Errorf("a message that counts two records and %s: got %+v", what, got)
		}
	}
	good := message(1, record)
	got, _ := read(good, 0x1234, Question{"a.example", A})
	if !reflect.DeepEqual(got, found(300, "127.0.0.2")) {
		t.Errorf("the message that does not lie: %+v", got)
	}
}

func TestHostName(t *testing.T) {
	label := strings.Repeat("x", 63)
	longest := strings.Repeat(label+".", 3) + strings.Repeat("y", 61)
	for name, want := range map[string]string{
		"mail.example.org.": "mail.example.org", "MAIL.Example.ORG.": "mail.example.org",
		"localhost.": "localhost", "_dmarc.1-2.": "_dmarc.1-2", longest + ".": longest,
		longest + "y.": "", ".": "", "": "", "a..b.": "", ".a.": "", "a b.": "", "a\n.": "",
		"a\x00.": "", "\xe4.de.": "", "a=b.": "", "[::1].": "", `a"b.`: "", "a/b.": "", "a..": "",
	} {
		if got := hostName(name); got != want {
			t.Errorf("hostName(%q) = %q, want %q", name, got, want)
		}
	}
}
