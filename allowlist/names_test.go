package allowlist

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
)

// TestMatchName: the name itself decides, then what holds most of it. Nothing else is a match, and
// no text that is no name is one, whatever a client's DNS says.
func TestMatchName(t *testing.T) {
	l := For(addr("192.0.2.1"))
	for i, s := range []struct {
		name   string
		access rule.Access
		limits rule.Limits
	}{
		{".com", rule.Unset, given(rule.ClientConns, 1, rule.ClientRate, rate(100, time.Hour))},
		{".example.com", rule.Deny, given(rule.ClientConns, 2)},
		{"mail.example.com", rule.Allow, rule.Limits{}},
		{".mail.example.com", rule.Unset, given(rule.GreetDelay, time.Second)},
		{"example.net", rule.Deny, rule.Limits{}},
	} {
		if err := l.SetNameAccess(s.name, s.access, at(i)); err != nil {
			t.Fatal(err)
		}
		if err := l.SetNameLimits(s.name, s.limits, at(i)); err != nil {
			t.Fatal(err)
		}
	}
	com := given(rule.ClientConns, 1, rule.ClientRate, rate(100, time.Hour))
	example := given(rule.ClientConns, 2, rule.ClientRate, rate(100, time.Hour))
	below := given(rule.ClientConns, 2, rule.ClientRate, rate(100, time.Hour), rule.GreetDelay,
		time.Second)
	denied := rule.Match{Access: rule.Deny, Name: ".example.com", Source: at(1), Limits: example}
	mail := rule.Match{Access: rule.Allow, Name: "mail.example.com", Source: at(2), Limits: example}
	deeper := denied
	deeper.Limits = below
	labels := strings.Repeat("x.", 118)
	for name, want := range map[string]rule.Match{
		"www.example.com": denied, "a.b.c.example.com": denied, "WWW.Example.COM.": denied,
		"mail.example.com": mail, "MAIL.EXAMPLE.COM": mail, "mail.example.com.": mail,
		"x.mail.example.com": deeper, "xmail.example.com": denied,
		labels + "example.com": denied, labels + "mail.example.com.": deeper,

		"example.com": {Limits: com}, "notexample.com": {Limits: com},
		"x.notexample.com": {Limits: com}, "com": {}, "example.net": {Access: rule.Deny,
			Name: "example.net", Source: at(4)},
		"www.example.net": {}, "example.com.evil.net": {}, "xexample.net": {},

		"": {}, ".": {}, ".example.com": {}, "..example.com": {}, "a..example.com": {},
		"a .example.com": {}, "a\x00.example.com": {}, "ä.example.com": {},
		"mail.example.com..":                      {},
		strings.Repeat("x.", 122) + "example.com": {}, "*.example.com": {}, "example.net/": {},
		strings.Repeat("x", 64) + ".example.com": {},
	} {
		if got := l.MatchName(name); got != want {
			t.Errorf("%q: %+v\nwant %+v", name, got, want)
		}
	}
	if !l.HasNames() || l.Match(addr("192.0.2.1")) != (rule.Match{}) || l.Len() != 0 ||
		l.CountNames() != 10 {
		t.Errorf("names %v, %d of them, %d networks", l.HasNames(), l.CountNames(), l.Len())
	}
	var none *List
	if none.HasNames() || none.CountNames() != 0 || none.MatchName("a.example.com").Access != 0 ||
		All().HasNames() || All().MatchName("a.b") != (rule.Match{}) {
		t.Error("a list without names has some")
	}
}

// A name that is allowed and denied is allowed, in whatever order; a limit with two values keeps
// the first.
func TestNameTwice(t *testing.T) {
	for _, first := range []rule.Access{rule.Allow, rule.Deny} {
		l := All()
		second := rule.Allow + rule.Deny - first
		if err := l.SetNameAccess(".example.org", first, at(1)); err != nil {
			t.Fatal(err)
		}
		err := l.SetNameAccess(".example.org", second, at(2))
		want := second.String() + " of .example.org contradicts " + first.String() + " at " +
			at(1).String() + "; keep one of the two"
		if err == nil || err.Error() != want {
			t.Errorf("%v; want %s", err, want)
		}
		if m := l.MatchName("a.example.org"); m.Access != rule.Allow {
			t.Errorf("first %v: %+v", first, m)
		}
		if err := l.SetNameAccess("example.org", second, at(3)); err != nil {
			t.Errorf("of another name: %v", err)
		}
	}
	l := All()
	_ = l.SetNameLimits("a.example", given(rule.ClientConns, 1), at(1))
	err := l.SetNameLimits("a.example", given(rule.ClientConns, 2, rule.MaxRcpts, 3), at(2))
	want := "client_conns of a.example has another value at " + at(1).String() +
		"; keep one of the two"
	if err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
	if m := l.MatchName("a.example"); m.Limits != given(rule.ClientConns, 1) {
		t.Errorf("%+v", m.Limits)
	}
	for line := range 3 {
		_ = l.SetNameAccess("a.example", rule.Deny, at(line))
	}
	if got := l.Repeats(); len(got) != 2 ||
		got[1] != (Repeat{"a.example", rule.Deny, at(0), at(2)}) {
		t.Errorf("repeats %+v", got)
	}
}

// TestNamesOracle holds lists of random names against a search through all of them.
func TestNamesOracle(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	label := func() string { return string(rune('a' + random.IntN(3))) }
	host := func() string {
		name := label()
		for range 1 + random.IntN(4) {
			name += "." + label()
		}
		return name
	}
	matches := 0
	for range 300 {
		said, l := map[string]rule.Access{}, All()
		for range random.IntN(12) {
			name := host()
			if random.IntN(2) == 0 {
				name = name[1:]
			}
			if name, err := ParseName(name); err != nil || said[name] != rule.Unset {
				continue
			}
			said[name] = rule.Allow + rule.Access(random.IntN(2))
			if err := l.SetNameAccess(name, said[name], at(1)); err != nil {
				t.Fatal(err)
			}
		}
		for range 50 {
			client, want := host(), ""
			for name := range said {
				holds := name == client || name[0] == '.' && strings.HasSuffix(client, name)
				if holds && (want == "" || name == client || want != client &&
					len(name) > len(want)) {
					want = name
				}
			}
			m := l.MatchName(client)
			if m.Name != want || m.Access != said[want] {
				t.Fatalf("%s of %v: %+v; want %q", client, said, m, want)
			}
			if want != "" {
				matches++
			}
		}
	}
	if matches < 1000 {
		t.Errorf("only %d matches", matches)
	}
}

// An allowed name exempts no network from a block: nobody knows its addresses.
func TestNamesAreNoNetworks(t *testing.T) {
	l := All()
	if err := l.SetNameAccess(".example.org", rule.Allow, at(1)); err != nil {
		t.Fatal(err)
	}
	if m, found := l.Allowed(netip.MustParsePrefix("192.0.2.0/24")); found {
		t.Errorf("%+v", m)
	}
}
