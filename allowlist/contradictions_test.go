package allowlist

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
)

func TestContradictions(t *testing.T) {
	network := netip.MustParsePrefix("192.0.2.0/24")
	access := func(a rule.Access, line int) func(*List) error {
		return func(l *List) error { return l.SetAccess(network, a, at(line)) }
	}
	limits := func(limits rule.Limits, line int) func(*List) error {
		return func(l *List) error { return l.SetLimits(network, limits, at(line)) }
	}
	tests := []struct {
		name          string
		first, second func(*List) error
		want          string
		match         rule.Match // what holds in the end
	}{
		{"allow and deny", access(rule.Allow, 3), access(rule.Deny, 7),
			`deny of 192.0.2.0/24 contradicts allow at /etc/sendwrap.conf:3; keep one of the two`,
			rule.Match{Access: rule.Allow, Network: network, Source: at(3)}},
		{"deny and allow", access(rule.Deny, 3), access(rule.Allow, 7),
			`allow of 192.0.2.0/24 contradicts deny at /etc/sendwrap.conf:3; keep one of the two`,
			rule.Match{Access: rule.Allow, Network: network, Source: at(7)}},
		{"deny twice", access(rule.Deny, 3), access(rule.Deny, 7), "",
			rule.Match{Access: rule.Deny, Network: network, Source: at(3)}},
		{"of several the first key is named, and none is taken",
			limits(given(rule.MaxResets, 3, rule.BadRcpts, 4), 3),
			limits(given(rule.GreetDelay, time.Second, rule.BadRcpts, 5, rule.MaxResets, 5), 7),
			`bad_rcpts of 192.0.2.0/24 has another value at /etc/sendwrap.conf:3; keep one of ` +
				`the two`,
			rule.Match{Limits: given(rule.MaxResets, 3, rule.BadRcpts, 4)}},
		{"0 is another value",
			limits(given(rule.ClientConns, 5), 3), limits(given(rule.ClientConns, 0), 7),
			`client_conns of 192.0.2.0/24 has another value at /etc/sendwrap.conf:3; keep one ` +
				`of the two`,
			rule.Match{Limits: given(rule.ClientConns, 5)}},
		{"same value, and one more", limits(given(rule.GreetDelay, time.Second), 3),
			limits(given(rule.GreetDelay, time.Second, rule.ClientRate, rate(10, time.Minute)), 7),
			"",
			rule.Match{
				Limits: given(rule.GreetDelay, time.Second, rule.ClientRate, rate(10, time.Minute)),
			}},
	}
	for k := range rule.Keys { // each by itself
		tests = append(tests, tests[0])
		tt := &tests[len(tests)-1]
		first, other := given(k, rate(10, time.Minute)), given(k, rate(10, time.Hour))
		tt.name, tt.match = k.String(), rule.Match{Limits: first}
		tt.first, tt.second = limits(first, 3), limits(other, 7)
		tt.want = k.String() +
			` of 192.0.2.0/24 has another value at /etc/sendwrap.conf:3; keep one of the two`
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := addr("192.0.2.77")
			for name, l := range map[string]*List{"For": For(client), "All": All()} {
				if err := tt.first(l); err != nil {
					t.Fatal(err)
				}
				got := ""
				if err := tt.second(l); err != nil {
					got = err.(*Error).Error()
				}
				if got != tt.want {
					t.Errorf("%s: error %s\nwant %s", name, got, tt.want)
				}
				if m := l.Match(client); m != tt.match {
					t.Errorf("%s: %s\nwant %s", name, show(m), show(tt.match))
				}
			}
		})
	}
}

// TestFirstSourceHolds: a line that repeats an earlier one is not named as the source.
func TestFirstSourceHolds(t *testing.T) {
	l, network := All(), netip.MustParsePrefix("192.0.2.0/24")
	for line := 3; line < 6; line++ {
		if err := l.SetAccess(network, rule.Allow, at(line)); err != nil {
			t.Fatal(err)
		}
		if err := l.SetLimits(network, given(rule.ClientConns, 5), at(line)); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.Match(addr("192.0.2.1")).Source; got != at(3) {
		t.Errorf("the source is %s; want %s", got, at(3))
	}
	for _, err := range []error{l.SetAccess(network, rule.Deny, at(9)),
		l.SetLimits(network, given(rule.ClientConns, 6), at(9))} {
		if err == nil || !strings.Contains(err.Error(), "at "+at(3).String()+";") {
			t.Errorf("%v; want the place %s in it", err, at(3))
		}
	}
}

// TestRepeats: a list for all clients knows both places of up to a hundred repeated lines. A list
// for one client keeps none.
func TestRepeats(t *testing.T) {
	all, one := All(), For(netip.MustParseAddr("192.0.2.1"))
	network := netip.MustParsePrefix("192.0.2.0/24")
	for line := range 2 * maxRepeats {
		for _, l := range []*List{all, one} {
			if err := l.SetAccess(network, rule.Deny, at(line)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := all.Repeats(); len(got) != maxRepeats ||
		got[0] != (Repeat{network.String(), rule.Deny, at(0), at(1)}) {
		t.Errorf("%d are known: %+v", len(got), got[:min(1, len(got))])
	}
	if got := one.Repeats(); got != nil {
		t.Errorf("for one client: %+v", got)
	}
}
