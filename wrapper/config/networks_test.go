package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
)

func TestNetworks(t *testing.T) {
	c, errs := load(t, `
allow 10.0.0.0/8 192.0.2.77/24 192.0.0.0/16 nonsense 198.51.100.1 "
deny 192.0.2.0/28
client 192.0.0.0/8 client_conns=9 greet_delay=9s
client 192.0.2.1 client_conns=0 client_rate=7/1h
`)
	want := []string{
		`F:2: host bits set in "192.0.2.77/24"; write 192.0.2.0/24 or 192.0.2.77`,
		`F:2: "nonsense" is neither a network nor a whole name; write a network such as ` +
			`192.0.2.0/24, or a name such as mail.example.org`,
		`F:2: quoted word "" has no closing quote; write " at its end`,
	}
	if !reflect.DeepEqual(errs, want) {
		t.Errorf("errors\n%s\nwant\n%s", strings.Join(errs, "\n"), strings.Join(want, "\n"))
	}
	m := c.Networks.Match(client)
	if m.Access != rule.Deny || m.Network.String() != "192.0.2.0/28" || m.Source.Line != 3 ||
		!strings.HasPrefix(m.Source.File, "/") {
		t.Errorf("match %+v; want the deny of line 3", m)
	}
	var limits rule.Limits
	limits.SetCount(rule.ClientConns, 0)
	limits.SetTime(rule.GreetDelay, 9*time.Second)
	limits.SetRate(rule.ClientRate, rule.Rate{N: 7, Per: time.Hour})
	if m.Limits != limits {
		t.Errorf("limits %+v", m.Limits)
	}
	if n := c.Networks.Len(); n != 7 {
		t.Errorf("%d networks; want 7", n)
	}
	all := allowlist.All()
	if _, err := Load(write(t, "allow 10.0.0.0/8 nonsense 198.51.100.1"), all); err == nil {
		t.Error("no error")
	}
	// on both sides of the wrong one
	for _, network := range []string{"10.255.0.1", "198.51.100.1"} {
		if m := all.Match(mustAddr(network)); m.Access != rule.Allow {
			t.Errorf("%s: %+v; want allow", network, m)
		}
	}
}

// TestNames: the lines take names beside networks, and a list for one client keeps all of them.
func TestNames(t *testing.T) {
	c, errs := load(t, `
allow 10.0.0.0/8 Mail.Example.ORG. .partner.example 198.51.100.1
deny .org 192.0.2.0/28 *.example.net
client .example.org client_conns=9 greet_delay=9s
client mail.example.org client_conns=0 client_rate=7/1h
`)
	want := []string{`F:3: "*.example.net" is not a plain name; write .example.net`}
	if !reflect.DeepEqual(errs, want) {
		t.Errorf("errors\n%s\nwant\n%s", strings.Join(errs, "\n"), strings.Join(want, "\n"))
	}
	if n, names := c.Networks.Len(), c.Networks.CountNames(); n != 3 || names != 5 {
		t.Errorf("%d networks, %d names; want 3, 5", n, names)
	}
	var limits rule.Limits
	limits.SetCount(rule.ClientConns, 0)
	limits.SetTime(rule.GreetDelay, 9*time.Second)
	limits.SetRate(rule.ClientRate, rule.Rate{N: 7, Per: time.Hour})
	m := c.Networks.MatchName("mail.example.org")
	if m.Access != rule.Allow || m.Name != "mail.example.org" || m.Source.Line != 2 ||
		m.Limits != limits {
		t.Errorf("%+v", m)
	}
	for name, want := range map[string]rule.Access{
		"mx.example.org": rule.Deny, "a.b.partner.example": rule.Allow,
		"partner.example": rule.Unset, "x.example.net": rule.Unset,
	} {
		if m := c.Networks.MatchName(name); m.Access != want {
			t.Errorf("%s: %v; want %v", name, m.Access, want)
		}
	}
}

// TestOtherLinesCostNothing: a line about a network that does not contain the client allocates
// nothing, like an empty line.
func TestOtherLinesCostNothing(t *testing.T) {
	for _, format := range []string{
		"allow %s\n", "deny %s # spam\n", "\n", "# comment\n",
		"client %s greet_delay=1m30s client_rate=10/1m client_conns=5\n",
		"client %s bad_rcpts=5 bad_rcpts_percent=50 bad_rcpts_total=10/1h max_rcpts=9 " +
			"max_resets=0 bad_rcpt_delay=1s\n",
	} {
		allocs := func(n int) float64 {
			path := write(t, manyLines(n, format))
			return testing.AllocsPerRun(20, func() {
				if _, err := Load(path, allowlist.For(client)); err != nil {
					t.Fatal(err)
				}
			})
		}
		if few, many := allocs(10), allocs(2000); many > few {
			t.Errorf("%q: %v allocations for 10 lines, %v for 2000", format, few, many)
		}
	}
}
