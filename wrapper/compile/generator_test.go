package compile

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
