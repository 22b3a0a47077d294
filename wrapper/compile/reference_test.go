package compile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
)

// configurations is how many random ones the compiled policies are held against the text for.
const configurations = 1000

// TestReference: for any configuration and any client, the compiled policy says what the text says,
// read by package allowlist: the rule with its file and line, the limits, the settings, the lines
// for the log.
func TestReference(t *testing.T) {
	dir := t.TempDir()
	var files []string
	random := rand.New(rand.NewPCG(1, 2))
	for i := range configurations {
		files = append(files, generate(t, random, filepath.Join(dir, fmt.Sprint(i))))
	}
	asked, withRule, withLimits, warned := 0, 0, 0, 0
	var overridden [rule.MaxWide]int // limits of wide networks
	var named count
	for _, file := range files {
		path := file + ".policy"
		if !compileUnsynced(t, file, path) {
			t.Fatal("not compiled")
		}
		cfg, err := config.Load(file, allowlist.All())
		if err != nil {
			warned++
		}
		sameErrors(t, file, err)
		clients := edges(t, cfg)
		c := sameAsText(t, file, path, cfg, err, clients[random.IntN(len(clients))])
		others := c.Others(clients)
		for _, client := range clients {
			m, want := others.Match(client), cfg.Networks.Match(client)
			if m != want {
				t.Errorf("%v: %+v\nwant %+v", client, m, want)
			}
			if asked++; m.Network.IsValid() {
				withRule++
			}
			if m.Limits != (rule.Limits{}) {
				withLimits++
			}
			for n := range overridden {
				if k, _ := rule.ClientConns.Wide(n); m.Limits.IsSet(k) {
					overridden[n]++
				}
			}
		}
		named.add(sameNames(t, c, others, cfg))
		c.Close()
		if t.Failed() {
			text, _ := os.ReadFile(file)
			t.Fatalf("of %s:\n%s", file, text)
		}
	}
	t.Logf("%d clients, %d with a rule, %d with limits; %d configurations with mistakes",
		asked, withRule, withLimits, warned)
	t.Logf("%d clients whose wide networks have other limits", overridden)
	t.Logf("%d names, %d with a rule, %d with limits", named.asked, named.rules, named.limits)
	if withRule < asked/4 || withLimits < asked/4 || warned < configurations/4 ||
		overridden[0] < asked/50 || overridden[1] < asked/100 ||
		named.rules < named.asked/8 || named.limits < named.asked/16 || named.asked < asked/10 {
		t.Error("too few")
	}
}

// count counts answers.
type count struct{ asked, rules, limits int }

func (c *count) add(d count) {
	c.asked, c.rules, c.limits = c.asked+d.asked, c.rules+d.rules, c.limits+d.limits
}

// sameNames holds what the policy says of names against the text.
func sameNames(
	t *testing.T, c *policy.Compiled, others policy.Rules, cfg *config.Config,
) (n count) {
	t.Helper()
	text := cfg.Networks
	if c.HasNames() != text.HasNames() || others.HasNames() != text.HasNames() {
		t.Errorf("has names: %v, %v; want %v", c.HasNames(), others.HasNames(), text.HasNames())
	}
	for _, name := range hosts(t, cfg) {
		want := text.MatchName(name)
		for _, rules := range []policy.Rules{c, others} {
			if m, _ := rules.MatchName(name); m != want {
				t.Errorf("%s: %+v\nwant %+v", name, m, want)
			}
		}
		if n.asked++; want.Name != "" {
			n.rules++
		}
		if want.Limits != (rule.Limits{}) {
			n.limits++
		}
	}
	return n
}

// hosts are names of clients: each word that is a name, and others above, below and beside it.
func hosts(t *testing.T, cfg *config.Config) (all []string) {
	for _, file := range cfg.Files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.Fields(string(text)) {
			name, err := allowlist.ParseName(word)
			if err != nil {
				continue
			}
			host := strings.TrimPrefix(name, ".")
			_, above, _ := strings.Cut(host, ".")
			all = append(all, name, host, strings.ToUpper(host)+".", "a."+host, "x"+host,
				"b.a."+host, above, "x."+above)
		}
	}
	return append(all, "", ".", "org", "localhost")
}

// sameErrors holds the collector against the list, with all errors.
func sameErrors(t *testing.T, file string, want error) {
	t.Helper()
	if _, got := config.Read(file, newCollector()); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: errors\n%v\nwant\n%v", file, got, want)
	}
}

// sameAsText opens the policy for a client and compares all that it says.
func sameAsText(
	t *testing.T, file, path string, want *config.Config, mistakes error, client netip.Addr,
) *policy.Compiled {
	t.Helper()
	c, err := policy.Open(path, file, client)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Policy().Match(client), want.Networks.Match(client); got != want {
		t.Errorf("%v: %+v\nwant %+v", client, got, want)
	}
	if got := c.Policy().Settings; !reflect.DeepEqual(*got, want.Settings) {
		t.Errorf("settings %+v\nwant %+v", *got, want.Settings)
	}
	lines := config.LogLines(mistakes, config.LineSkipped)
	if got := c.Warnings(); strings.Join(got, "\n") != strings.Join(lines, "\n") {
		t.Errorf("warnings %q\nwant %q", got, lines)
	}
	return c
}

// compileUnsynced is Compile without fsync, and for files that are not settled: nobody changes them
// again. It reports false if they are not to be read twice.
func compileUnsynced(t testing.TB, file, path string) bool {
	t.Helper()
	content, err := read(file, time.Now().Add(policy.Settled), new(Result))
	if err != nil {
		return false
	}
	content.Made = time.Now()
	var b bytes.Buffer
	if _, err = policy.Write(&b, content); err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

// edges are the first and the last address of each word that is a network, their neighbours, and
// some addresses in other forms.
func edges(t *testing.T, cfg *config.Config) (all []netip.Addr) {
	for _, s := range []string{"0.0.0.0", "255.255.255.255", "::", "::ffff:10.1.2.3",
		"64:ff9b::a01:203", "fe80::1%eth0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
		all = append(all, netip.MustParseAddr(s))
	}
	for _, name := range cfg.Files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.Fields(string(text)) {
			n, err := allowlist.ParseNetwork(word)
			if err != nil {
				continue
			}
			for _, a := range []netip.Addr{n.Addr(), lastOf(n)} {
				all = append(all, a)
				for _, near := range []netip.Addr{a.Prev(), a.Next()} {
					if near.IsValid() {
						all = append(all, near)
					}
				}
			}
		}
	}
	return all
}

func lastOf(n netip.Prefix) netip.Addr {
	b := n.Addr().AsSlice()
	for i := n.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// FuzzReference is TestReference for any text.
func FuzzReference(f *testing.F) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		file := generate(f, random, f.TempDir())
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("allow 10.0.0.0/8 10.0.0.0/8\ndeny 10.0.0.0/8 ::/0\nclient ::/0 max_rcpts=1\n" +
		"client ::/0 max_rcpts=2 max_resets=1\nclient ::/0 max_resets=2")
	f.Add("allow .a.b A.B. *.b\ndeny a.b .B\nclient .b client_conns=1\n" +
		"client c.a.b client_conns=2 client_rate=1/1s\nclient .a.b client_rate=2/1s")
	f.Add("include /dev/null\ninclude sendwrap.conf\ninclude \"\"\nmta /a \"\" \"b c\"\nlog none")
	file := filepath.Join(f.TempDir(), "sendwrap.conf")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(file, allowlist.All())
		if cfg == nil || !compileUnsynced(t, file, file+".policy") {
			return
		}
		sameErrors(t, file, err)
		clients := edges(t, cfg)
		c := sameAsText(t, file, file+".policy", cfg, err, clients[0])
		defer c.Close()
		others := c.Others(clients)
		for _, client := range clients {
			if m, want := others.Match(client), cfg.Networks.Match(client); m != want {
				t.Errorf("%v: %+v\nwant %+v", client, m, want)
			}
		}
		sameNames(t, c, others, cfg)
	})
}
