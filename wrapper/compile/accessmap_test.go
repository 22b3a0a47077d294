package compile

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/access"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
)

// TestAccessMap: what a compiled policy says of a client by an access map, and what the text says
// without one, is what access.Look says, for any map, address and name.
func TestAccessMap(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var seen mapsSeen
	for i := range 400 {
		g := mapGenerator{generator{Rand: random}}
		sameAsLook(t, t.TempDir(), g.text(random.IntN(60)), g.clients(), &seen)
		if t.Failed() {
			t.Fatalf("map %d", i)
		}
	}
	t.Logf("%+v", seen)
	if seen.asked < 10_000 || min(seen.denied, seen.replied, seen.ok, seen.limits,
		seen.byName, seen.unnamed) < seen.asked/50 {
		t.Error("too few")
	}
}

// An entry that no policy can hold is an error: it must not be left out in silence.
func TestUnfitEntry(t *testing.T) {
	e := access.Entry{Network: netip.MustParsePrefix("::ffff:192.0.2.0/120"), Line: 7}
	if err := newCollector().addEntry(&e, &replyTable{}); err == nil {
		t.Error("an IPv4-mapped network is taken")
	}
}

// mapsSeen counts clients by what was said of them.
type mapsSeen struct{ asked, denied, replied, ok, limits, byName, unnamed int }

type mapClient struct {
	addr netip.Addr
	name string
}

// sameAsLook holds the policy of a map, and the text, against Look.
func sameAsLook(t *testing.T, dir, text string, clients []mapClient, seen *mapsSeen) {
	t.Helper()
	file, path := filepath.Join(dir, "conf"), filepath.Join(dir, "policy")
	for name, text := range map[string]string{
		file: "access map\nclient 10.0.0.0/8 client_conns=3\n", filepath.Join(dir, "map"): text,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !compileUnsynced(t, file, path) {
		t.Fatal("not compiled")
	}
	cfg, _ := config.Load(file, allowlist.All())
	for _, client := range clients {
		c, err := policy.Open(path, file, client.addr)
		if err != nil {
			t.Fatal(err)
		}
		compiled, read := c.Policy().Map, cfg.Policy().Map
		if compiled.HasNames() != read.HasNames() {
			t.Errorf("has names: %v, %v", compiled.HasNames(), read.HasNames())
		}
		var names []string
		if client.name != "" {
			names = []string{client.name}
		}
		found := cfg.Map.Look(client.addr, names...)
		got, gotRead := ask(compiled, client), ask(read, client)
		if gotRead.Key != found[access.Connect].Key && gotRead.Access != rule.Unset {
			t.Errorf("key %q; want %q", gotRead.Key, found[access.Connect].Key)
		}
		if gotRead.Key = ""; got != gotRead {
			t.Errorf("%v: compiled %+v\nread %+v", client, got, gotRead)
		}
		holdAgainst(t, client, got, found, cfg.AccessMap, seen)
		c.Close()
		if t.Failed() {
			t.Fatalf("%v in:\n%s", client, text)
		}
	}
}

// ask asks as a session does.
func ask(m policy.AccessMap, of mapClient) rule.Match {
	first, _ := m.MatchUnnamed(of.addr)
	if of.name != "" {
		first, _ = m.MatchName(strings.ToUpper(of.name) + ".")
	}
	return first.Or(m.Match(of.addr))
}

// holdAgainst holds a match against what Look has found.
func holdAgainst(
	t *testing.T, of mapClient, m rule.Match, found access.Found, file string, seen *mapsSeen,
) {
	t.Helper()
	connect := found[access.Connect]
	want := map[access.Kind]rule.Access{access.OK: rule.Allow, access.Reject: rule.Deny,
		access.Text: rule.Deny}[connect.Value.Kind]
	if m.Access != want || m.Reply != connect.Value.Reply {
		t.Errorf("%v: %v %q; want %v", of, m.Access, m.Reply, connect)
	}
	if want != rule.Unset && (m.Source != rule.Source{File: file, Line: connect.Line} ||
		m.Name != connect.Name || m.Network != connect.Network) {
		t.Errorf("%v: by %v, %v, %q; want %+v", of, m.Source, m.Network, m.Name, connect)
	}
	var limits rule.Limits
	if want == rule.Allow {
		limits.SetCount(rule.DNSBL, 0)
	}
	for tag := access.GreetPause; tag < access.Tags; tag++ {
		if e := found[tag]; e.Value.Kind != access.Nothing {
			limits = limits.OverriddenBy(e.Effect().Limits)
		}
	}
	if want == rule.Deny { // whether lists are asked does not matter then
		m.Limits.Clear(rule.DNSBL)
	}
	if m.Limits != limits {
		t.Errorf("%v: limits %v\nwant %v", of, m.Limits, limits)
	}
	seen.asked++
	for n, ok := range map[*int]bool{
		&seen.denied: want == rule.Deny, &seen.replied: m.Reply != "",
		&seen.ok: want == rule.Allow, &seen.limits: m.Limits != rule.Limits{},
		&seen.byName: m.Name != "", &seen.unnamed: connect.Unresolved,
	} {
		if ok {
			*n++
		}
	}
}

// mapGenerator makes access maps.
type mapGenerator struct{ generator }

func (g *mapGenerator) text(lines int) string {
	var b strings.Builder
	for range lines {
		tag := g.pick("Connect:", "connect:", "", "GreetPause:", "GreetPause:", "ClientRate:",
			"ClientConn:", "From:")
		b.WriteString(tag + g.subject() + "\t" + g.value(tag) + "\n")
	}
	return b.String()
}

func (g *mapGenerator) subject() string {
	switch g.IntN(12) {
	case 0, 1, 2:
		return g.name()
	case 3, 4:
		return "[" + g.group() + "]"
	case 5:
		return ""
	case 6:
		return g.pick("10.0.0.0/8", "10.1.0.0/15", "10.1.2.128/25", "0.0.0.0/0", "::/0",
			"2001:db8::/33", "IPv6:2001:db8::/31")
	}
	return g.group()
}

func (g *mapGenerator) group() string {
	octets := g.pick("10", "10", "192") + g.pick("", ".0", ".1") + g.pick("", ".2")
	return g.pick(octets, octets+g.pick("", ".0.1"), "10.1.2.3", "192.0.2.7",
		"IPv6:2001:db8"+g.pick("", ":0", ":1", ":0:0:1", ":0:0:0:0:0:1"), "IPv6")
}

func (g *mapGenerator) name() string {
	return g.pick("", "a.", "b.a.") + g.pick("a", "b", "example") + g.pick("", ".org", ".net")
}

func (g *mapGenerator) value(tag string) string {
	if tag == "Connect:" || tag == "connect:" || tag == "" {
		return g.pick("OK", "RELAY", "REJECT", "REJECT", "SKIP", "DISCARD", "550 go away",
			"ERROR:4.7.1:450 later", "ERROR:5.7.1:554 no", fmt.Sprint("ERROR:550 of ", g.IntN(50)))
	}
	return g.pick("0", "1", "5", "700", "70000", "SKIP", "5s")
}

// clients are some that the maps hold, and others.
func (g *mapGenerator) clients() (all []mapClient) {
	for range 40 {
		addr := g.pick("10.0.0.1", "10.1.2.3", "10.1.2.200", "10.2.0.1", "192.0.2.7", "192.1.1.1",
			"198.51.100.1", "2001:db8::1", "2001:db8:1::1", "2001:db8:0:1::1", "2001:db9::",
			"::1", "fe80::1%eth0", "::ffff:10.1.2.3")
		all = append(all, mapClient{netip.MustParseAddr(addr), g.pick("", g.name())})
	}
	return all
}
