package lookup

import (
	"bytes"
	"net"
	"net/netip"
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
			tt.health.Answered = true
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

// No list is always asked first, or last: in a crowd not all questions may be asked.
func TestListsTakeTurns(t *testing.T) {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	first := map[string]bool{}
	addr := client
	for range 3 {
		q := request(weigh("one", 1), weigh("two", 1), weigh("six", 1))
		q.Addr, addr = addr, addr.Next()
		r := resolve.New([]netip.AddrPort{c.LocalAddr().(*net.UDPAddr).AddrPort()})
		defer r.Close()
		Start(r, q, func() {})
		var buf [512]byte
		for n := range q.Lists {
			size, err := c.Read(buf[:])
			if err != nil {
				t.Fatal(err)
			}
			for i := range q.Lists {
				if n == 0 && bytes.Contains(buf[:size], []byte(q.Lists[i].Name)) {
					first[q.Lists[i].Name] = true
				}
			}
		}
	}
	if len(first) != 3 {
		t.Errorf("only %v were asked first", first)
	}
}
