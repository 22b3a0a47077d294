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
			if m := rules.MatchName(name); m != want {
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

// generate writes a random configuration into a directory of its own.
func generate(t testing.TB, random *rand.Rand, dir string) string {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	g := generator{Rand: random}
	names := []string{"sendwrap.conf", "a.conf", "b.conf"}
	for i, name := range names {
		var b strings.Builder
		if i == 0 {
			b.WriteString(g.wide())
		}
		for range random.IntN(30) {
			b.WriteString(g.line() + "\n")
		}
		for _, other := range names[i+1:] {
			if random.IntN(2) == 0 {
				b.WriteString("include " + other + "\n" + g.line() + "\n")
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, names[0])
}

// generator makes lines, mostly right ones.
type generator struct {
	*rand.Rand
	known []netip.Prefix
}

func (g *generator) line() string {
	switch n := g.IntN(24); {
	case n >= 22:
		return g.pick("allow", "deny", "deny") + " " + g.host() + " " +
			g.pick("", g.host(), g.network())
	case n >= 20:
		return "client " + g.host() + g.hostLimits()
	case n < 7:
		return g.pick("allow", "deny", "deny") + " " + g.networks()
	case n < 14:
		return "client " + g.network() + g.limits()
	case n < 16 && g.IntN(4) == 0:
		return g.lists()
	case n < 16:
		return g.pick(
			"greet_delay "+g.pick("0s", "9s stress=1s", "290s", "5", "300s"),
			"on_pregreet "+g.pick("drop", "tempfail", "maybe"),
			"client_rate "+g.pick("5/1m", "0", "65535/24h", "x"),
			"mta /usr/bin/printf \"a b\" '' \"\" é", "teaser mx.example.org \"x  y\"",
			"nat64 2001:db8:64::/96 2001:db8:32::/32", "count_by 24 48", "refuse_load 12.5",
			"block off", "block strikes=2 for=2h max=31d kill=off", "contact mail to x",
			"on_block /bin/echo a", "on_block off", "transcript /var/log/x max=1G", "remember 0s",
			"guard_listen [::1]:8891", "ledger /x/y clients=1024", "mode observe",
			"strikes_by_kind http=2 ehlo=0", "bad_rcpts_total 9/1h share=0", "log stderr")
	case n < 17:
		return g.pick("alow "+g.network(), "allow", "deny 10.0.0.1/8", "allow 10.0.0.1/8",
			"client any greet_delay=0s", "client 10.0.0.0/8", "allow ::ffff:10.0.0.0/104",
			"allow 192.0.2", "deny 1.2.3.4.5", "allow \"unclosed", "include missing.conf",
			"include sendwrap.conf", "include a.conf", "allow 010.0.0.1", "hostname -x")
	case n < 18:
		return "# " + g.network()
	}
	return g.pick("allow", "deny") + " " + g.pick("0.0.0.0/0", "::/0", "64:ff9b::/96",
		"10.0.0.0/8", "::ffff:0:0/95", "2001:db8::/32", "255.255.255.255", "::", "0.0.0.0",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "128.0.0.0/1", "8000::/1")
}

// wide is up to two lines about wide networks, sometimes with translators.
func (g *generator) wide() (text string) {
	if g.IntN(2) == 0 {
		return ""
	}
	text = "wide " + g.pick("24 48", "20 64", "28 40", "31 33", "24 129") +
		" client_conns=9 client_rate=9/1m\n"
	if g.IntN(2) == 0 {
		text += "wide " + g.pick("16 32", "12 30", "8 20", "24 48") + " client_conns=99 strikes=8\n"
	}
	if g.IntN(2) == 0 {
		text += "nat64 2001:db8:64::/96 2001:db8:32::/32\n"
	}
	return text
}

// lists is a line about lists of DNS.
func (g *generator) lists() string {
	site := g.pick("a", "b", "C") + ".example" + g.pick("", "=127.0.0.[2..11]", "=127.0.0") +
		g.pick("", "*3", "*-2", "*x")
	return g.pick(
		"dnsbl "+site+g.pick("", " as=a", " url=https://a.example/", " b.example,c.example*2"),
		"dnsbl "+site+g.pick("", " as=a", " as=b", " as=!"),
		"dnsbl_threshold "+g.pick("3", "64000", "x"), "dnsbl_welcome "+g.pick("-2", "-64000", "2"),
		"dnsbl_ttl "+g.pick("1s 1s", "5m 24h", "2h 1h"),
		"on_listed "+g.pick("drop", "tempfail", ""),
		"resolver "+g.pick("192.0.2.53 [2001:db8::53]:5353 fe80::1%eth0", "auto", "localhost"))
}

// host is a name of a few labels, so that many are above, below or equal to another.
func (g *generator) host() string {
	name := g.pick("", ".", "a.", "b.a.") + g.pick("a", "b", "mail") + g.pick("", ".a", ".b") +
		g.pick(".org", ".ORG.", ".net", ".net")
	if g.IntN(30) == 0 {
		return g.pick("*."+name, ".org", ".net", "a", name+"/24", "192.0.2.l", "joe@"+name)
	}
	return name
}

func (g *generator) hostLimits() (text string) {
	for _, key := range g.Perm(3)[:g.IntN(4)] {
		text += [...]string{" greet_delay=" + g.pick("0s", "1s", "2s"),
			" client_conns=" + g.pick("0", "5"), " client_rate=" + g.pick("0", "5/1m", "6/1m")}[key]
		if key == 0 && g.IntN(20) == 0 {
			text += " max_rcpts=5"
		}
	}
	return text
}

func (g *generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) networks() string {
	text := g.network()
	for range g.IntN(4) {
		text += " " + g.network()
	}
	return text
}

// network is one that often repeats, touches, holds or is within one before.
func (g *generator) network() string {
	var b [16]byte
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	n := netip.PrefixFrom(netip.AddrFrom16(b).Unmap(), g.IntN(129))
	if g.IntN(2) == 0 {
		n = netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), g.IntN(33))
	}
	if g.IntN(8) == 0 { // of a translator
		near := netip.MustParseAddr(g.pick("64:ff9b::", "2001:db8:64::", "2001:db8:32::")).As16()
		copy(b[:12], near[:])
		n = netip.PrefixFrom(netip.AddrFrom16(b), 80+g.IntN(49))
	}
	if len(g.known) > 0 && g.IntN(5) > 0 {
		n = g.known[g.IntN(len(g.known))]
		switch g.IntN(4) {
		case 0: // the one that holds it, or its neighbour
			n = netip.PrefixFrom(n.Addr(), max(0, n.Bits()-g.IntN(9)))
		case 1:
			n = netip.PrefixFrom(lastOf(n), min(n.Addr().BitLen(), n.Bits()+g.IntN(9)))
		case 2:
			if a := lastOf(n).Next(); a.IsValid() {
				n = netip.PrefixFrom(a, n.Bits())
			}
		}
	}
	n = n.Masked()
	g.known = append(g.known, n)
	if n.IsSingleIP() && g.IntN(2) == 0 {
		return n.Addr().String()
	}
	return n.String()
}

func (g *generator) limits() (text string) {
	for _, key := range g.Perm(10)[:g.IntN(11)] {
		text += " " + [...]string{"greet_delay=", "client_rate=", "client_conns=", "bad_rcpts=",
			"bad_rcpts_percent=", "bad_rcpts_total=", "max_rcpts=", "max_resets=",
			"bad_rcpt_delay=", "dnsbl="}[key]
		switch key {
		case 9:
			text += g.pick("on", "off")
		case 0, 8:
			text += g.pick("0s", "1s", "2s", "5s")
		case 1, 5:
			text += g.pick("0", "5/1m", "5/1h", "6/1m")
		default:
			text += g.pick("0", "1", "2", "100")
		}
		if g.IntN(50) == 0 {
			text += "x"
		}
	}
	return text
}
