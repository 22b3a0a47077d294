package lookup

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/resolve"
)

var client = netip.MustParseAddr("192.0.2.9")

const reversed = "9.2.0.192"

// list is one with these sites; the zone is that of the name.
func listOf(name string, sites ...dnsbl.Site) dnsbl.List {
	return dnsbl.List{Zone: name + ".example", Name: name, Sites: sites}
}

// weigh is a list of one site without a filter.
func weigh(name string, weight int) dnsbl.List { return listOf(name, dnsbl.Site{Weight: weight}) }

// request asks about the client. All lists are asked, and none is tested.
func request(lists ...dnsbl.List) Request {
	all := Set(1<<len(lists) - 1)
	return Request{Addr: client, Lists: lists, Ask: all, Trusted: all,
		Until: time.Now().Add(lab.Patience)}
}

// start begins a lookup, and returns a function that waits for the next answer. It reports false
// when all are there.
func start(t *testing.T, n *lab.Nameserver, q Request) (l *Lookup, next func() bool) {
	t.Helper()
	r := resolve.New([]netip.AddrPort{n.Addr})
	t.Cleanup(r.Close)
	changes := 0
	l = Start(r, q, func() { changes++ })
	return l, func() bool {
		for before := changes; !l.Done(); {
			ms := max(0, int(time.Until(r.Due())/time.Millisecond)+1)
			fds := []unix.PollFd{{Fd: int32(r.FD()), Events: unix.POLLIN}}
			if _, err := unix.Poll(fds, ms); err != nil && err != unix.EINTR {
				t.Fatal(err)
			}
			if r.Handle(); changes > before {
				return true
			}
		}
		return false
	}
}

// outcome waits for all answers.
func outcome(t *testing.T, n *lab.Nameserver, q Request) (*Lookup, Result) {
	t.Helper()
	l, next := start(t, n, q)
	for next() {
	}
	return l, l.Result()
}

// While answers are missing the score lies between bounds, which only narrow.
func TestBoundsNarrow(t *testing.T) {
	n := lab.NewNameserver(t)
	n.AddList(t, "bad.example", reversed)
	n.AddList(t, "good.example", reversed)
	n.AddList(t, "other.example")
	lists := []dnsbl.List{weigh("bad", 3), weigh("good", -2), weigh("other", 5)}
	l, next := start(t, n, request(lists...))
	lowest, highest := -2, 8
	for {
		s := l.Result().Score
		if s.Lowest < lowest || s.Highest > highest || s.Sum < s.Lowest || s.Sum > s.Highest {
			t.Errorf("from %d to %d, after %d to %d; now %d", s.Lowest, s.Highest, lowest, highest,
				s.Sum)
		}
		lowest, highest = s.Lowest, s.Highest
		if !next() {
			break
		}
	}
	if s := l.Result().Score; s.Sum != 1 || lowest != 1 || highest != 1 {
		t.Errorf("%d in the end, from %d to %d; want 1", s.Sum, lowest, highest)
	}
	listed := netip.MustParseAddr("127.0.0.2")
	want := []Hit{{0, listed, 3}, {1, listed, -2}}
	if got := l.Result().Hits; !slices.Equal(got, want) {
		t.Errorf("hits %v; want %v", got, want)
	}
}

// A list that does not behave does not count, whatever it says about the client.
func TestLists(t *testing.T) {
	const zone = "l.example"
	for _, tt := range []struct {
		name    string
		records []string
		code    int // of the answer to the test
		trusted bool
		tested  bool
		sum     int
		health  Health
	}{
		{"trusted", []string{"2.0.0.127 127.0.0.2", reversed + " 127.0.0.4"}, 0, true, false, 1,
			Health{Asked: true, Listed: true}},
		{"not trusted and not tested", []string{reversed + " 127.0.0.4"}, 0, false, false, 0,
			Health{Asked: true}},
		{"passes", []string{"2.0.0.127 127.0.0.2", reversed + " 127.0.0.4"}, 0, false, true, 1,
			Health{Asked: true, Listed: true, Test: Passed}},
		{"lists nothing", []string{reversed + " 127.0.0.4"}, 0, true, true, 0,
			Health{Asked: true, Test: Failed, Why: dnsbl.ListsNone}},
		{"lists everything",
			[]string{"2.0.0.127 127.0.0.2", "1.0.0.127 127.0.0.2", reversed + " 127.0.0.4"}, 0,
			true, true, 0, Health{Asked: true, Test: Failed, Why: dnsbl.ListsAll}},
		{"error code", []string{reversed + " 127.255.255.254"}, 0, true, false, 0,
			Health{Asked: true, Test: Failed, Why: dnsbl.PublicResolver}},
		{"an error code and nothing else", []string{reversed + " 127.255.255.254"}, 0,
			true, true, 0,
			Health{Asked: true, Test: Failed, Why: dnsbl.PublicResolver}},
		{"an error code beside a listing", []string{reversed + " 127.0.0.4",
			reversed + " 127.255.255.255"}, 0, true, false, 0,
			Health{Asked: true, Test: Failed, Why: dnsbl.TooMany}},
		{"sinkhole", []string{reversed + " 146.112.61.108"}, 0, true, false, 0,
			Health{Asked: true, Test: Failed, Why: dnsbl.Sinkhole}},
		{"127.0.0.1", []string{reversed + " 127.0.0.1"}, 0, true, false, 0,
			Health{Asked: true, Test: Failed, Why: dnsbl.Localhost}},
		{"every name is 127.0.0.1", []string{"2.0.0.127 127.0.0.1", "1.0.0.127 127.0.0.1"}, 0,
			true, true, 0, Health{Asked: true, Test: Failed, Why: dnsbl.ListsAll}},
		{"test fails", []string{reversed + " 127.0.0.4"}, dns.RcodeServerFailure, true, true, 1,
			Health{Asked: true, Listed: true, Test: Failed, Why: dnsbl.NoAnswer}},
		{"test refused", nil, dns.RcodeRefused, true, true, 0,
			Health{Asked: true, Test: Failed, Why: dnsbl.Refused}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := lab.NewNameserver(t)
			for _, text := range tt.records {
				name, addr, _ := cut(text)
				n.Add(t, name+"."+zone+". 300 IN A "+addr)
			}
			if tt.code != 0 {
				n.Fail("2.0.0.127."+zone, tt.code)
				n.Fail("1.0.0.127."+zone, tt.code)
			}
			q := request(dnsbl.List{Zone: zone, Name: "l", Sites: []dnsbl.Site{{Weight: 1}}})
			if !tt.trusted {
				q.Trusted = 0
			}
			if tt.tested {
				q.Test = q.Ask
			}
			l, r := outcome(t, n, q)
			if s := r.Score; s.Sum != tt.sum || s.Lowest != tt.sum || s.Highest != tt.sum {
				t.Errorf("%+v; want %d", s, tt.sum)
			}
			if got := l.Health(0); got != tt.health {
				t.Errorf("%+v; want %+v", got, tt.health)
			}
		})
	}
}

func cut(text string) (before, after string, found bool) {
	for i := range len(text) {
		if text[i] == ' ' {
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// A list that does not answer, while others do, is silent; a resolver that answers nothing says
// nothing about any list.
func TestSilence(t *testing.T) {
	n := lab.NewNameserver(t)
	n.AddList(t, "good.example")
	n.Fail(reversed+".bad.example", dns.RcodeServerFailure)
	l, r := outcome(t, n, request(weigh("good", 1), weigh("bad", 1)))
	if h := l.Health(0); h != (Health{Asked: true}) {
		t.Errorf("the list that answers: %+v", h)
	}
	if h := l.Health(1); h != (Health{Asked: true, Silent: true}) {
		t.Errorf("the list that does not: %+v", h)
	}
	if ttl := l.TTL(time.Minute, time.Hour); ttl != time.Minute {
		t.Errorf("kept for %v; want %v: an answer is missing", ttl, time.Minute)
	}
	if !r.Done || r.Score.Highest != 0 {
		t.Errorf("%+v; want it done", r)
	}
	n.Hold("")
	q := request(weigh("good", 1), weigh("bad", 1))
	q.Test, q.Until = q.Ask, time.Now().Add(3*time.Second)
	l, _ = outcome(t, n, q)
	for i := range q.Lists {
		if h := l.Health(i); h != (Health{Asked: true}) {
			t.Errorf("list %d behind a dead resolver: %+v", i, h)
		}
	}
}

// A resolver that reaches no other server fails at every question. That says nothing about a list.
func TestResolverReachesNobody(t *testing.T) {
	n := lab.NewNameserver(t)
	for _, name := range []string{reversed, "2.0.0.127", "1.0.0.127"} {
		n.Fail(name+".one.example", dns.RcodeServerFailure)
		n.Fail(name+".two.example", dns.RcodeServerFailure)
	}
	q := request(weigh("one", 1), weigh("two", -1))
	q.Test = q.Ask
	l, _ := outcome(t, n, q)
	for i := range q.Lists {
		if h := l.Health(i); h != (Health{Asked: true}) {
			t.Errorf("list %d: %+v", i, h)
		}
	}
	if !l.Unheard() {
		t.Error("DNS has answered")
	}
}

// A list whose answer was not waited for long enough is not silent, nor has it failed a test. One
// that was, has.
func TestTooShortForSilence(t *testing.T) {
	n := lab.NewNameserver(t)
	n.AddList(t, "good.example")
	for _, name := range []string{reversed, "2.0.0.127", "1.0.0.127"} {
		n.Hold(name + ".bad.example")
	}
	for d := leastWait / 4; ; d *= 2 {
		q := request(weigh("good", 1), weigh("bad", 1))
		q.Test, q.Until = q.Ask, time.Now().Add(d)
		l, _ := outcome(t, n, q)
		h := l.Health(1)
		if d < leastWait && h != (Health{Asked: true}) {
			t.Errorf("after %v: %+v", d, h)
		}
		if h == (Health{Asked: true, Silent: true, Test: Failed, Why: dnsbl.NoAnswer}) {
			return // sooner or later, as fast as the machine is
		}
		if d > lab.Patience {
			t.Fatalf("after %v: %+v; want it silent", d, h)
		}
	}
}

// A name counts if its addresses contain the client's, and not for what it says.
func TestNames(t *testing.T) {
	n := lab.NewNameserver(t)
	ptr := reversed + ".in-addr.arpa. 3600 IN PTR "
	n.Add(t, ptr+"Mail.Example.ORG.", ptr+"bank.example.", ptr+"a.example.",
		ptr+"odd\\032name.example.",
		"mail.example.org. 3600 IN A 192.0.2.8", "mail.example.org. 3600 IN A 192.0.2.9",
		"bank.example. 3600 IN A 192.0.2.10", "a.example. 200 IN CNAME b.example.",
		"odd\\032name.example. 3600 IN A 192.0.2.9")
	n.Add(t, "a.example. 200 IN A 192.0.2.9") // a chain is followed by package resolve; see there
	q := request()
	q.Names = true
	l, r := outcome(t, n, q)
	if want := []string{"a.example", "mail.example.org"}; !slices.Equal(r.Names, want) {
		t.Errorf("names %q; want %q", r.Names, want)
	}
	if n.Asked("odd name.example") > 0 {
		t.Error("asked for a name with a blank")
	}
	if ttl := l.TTL(time.Minute, time.Hour); ttl != 120*time.Second && ttl != 200*time.Second {
		t.Errorf("kept for %v; want as long as the address that is forgotten first", ttl)
	}
}

// An address with any number of names costs a bounded number of questions.
func TestManyNames(t *testing.T) {
	n := lab.NewNameserver(t)
	var all []string
	for c := 'a'; c <= 't'; c++ {
		name := string(c) + ".example"
		all = append(all, name)
		n.Add(t, reversed+".in-addr.arpa. 3600 IN PTR "+name+".", name+". 3600 IN A 192.0.2.9")
	}
	q := request()
	q.Names = true
	_, r := outcome(t, n, q)
	if !slices.Equal(r.Names, all[:maxNames]) {
		t.Errorf("names %q; want %q", r.Names, all[:maxNames])
	}
	asked := 0
	for _, name := range all {
		asked += n.Asked(name)
	}
	if asked != maxNames {
		t.Errorf("asked for %d names; want %d", asked, maxNames)
	}
}

// IPv6 is asked by its nibbles, and its names by AAAA.
func TestIPv6(t *testing.T) {
	const nibbles = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
	n := lab.NewNameserver(t, nibbles+".l.example. 300 IN A 127.0.0.3",
		nibbles+".ip6.arpa. 3600 IN PTR six.example.", "six.example. 3600 IN AAAA 2001:db8::1",
		"six.example. 3600 IN A 192.0.2.9")
	q := request(weigh("l", 4))
	q.Addr, q.Names = netip.MustParseAddr("2001:db8::1"), true
	_, r := outcome(t, n, q)
	if r.Score.Sum != 4 || !slices.Equal(r.Names, []string{"six.example"}) {
		t.Errorf("%+v", r)
	}
}

// What is kept comes back; any other bytes are no result, and never make one up.
func TestEncode(t *testing.T) {
	r := Result{
		Hits: []Hit{
			{31, netip.MustParseAddr("127.0.0.10"), -1000},
			{0, netip.MustParseAddr("127.1.2.3"), 16000},
		},
		Names: []string{"a.example", "mail.example.org"},
	}
	r.Score.Sum, r.Heard = 64000, true
	r.Settle()
	text, ok := r.Encode(216)
	got, decoded := Decode(text, 32)
	if !ok || !decoded || !reflect.DeepEqual(got, r) {
		t.Errorf("%v %v: %+v; want %+v", ok, decoded, got, r)
	}
	if _, ok := Decode(text, 31); ok {
		t.Error("a list that does not exist")
	}
	for n := range len(text) {
		if got, ok := Decode(text[:n], 32); ok && len(got.Names) == len(r.Names) {
			t.Errorf("cut to %d bytes, it is whole", n)
		}
	}
	if text, ok := r.Encode(40); !ok || len(text) > 40 {
		t.Errorf("%d bytes, %v; want the first name left", len(text), ok)
	} else if got, ok := Decode(text, 32); !ok || !slices.Equal(got.Names, r.Names[:1]) {
		t.Errorf("names %q", got.Names)
	}
}

func FuzzDecode(f *testing.F) {
	r := Result{Names: []string{"a.example"},
		Hits: []Hit{{1, netip.MustParseAddr("127.0.0.10"), 2}}}
	text, _ := r.Encode(216)
	f.Add(text, 3)
	f.Add([]byte{1, 8, 0}, 32)
	f.Fuzz(func(t *testing.T, text []byte, lists int) {
		r, ok := Decode(text, lists)
		if !ok {
			return
		}
		for _, h := range r.Hits {
			if h.List < 0 || h.List >= lists {
				t.Errorf("list %d of %d", h.List, lists)
			}
		}
		if !r.Done || r.Score.Lowest != r.Score.Sum || r.Score.Highest != r.Score.Sum {
			t.Errorf("not final: %+v", r)
		}
	})
}
