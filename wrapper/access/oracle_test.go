package access

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// TestAsSendmail asks sendmail and us about the same clients of the same maps.
func TestAsSendmail(t *testing.T) {
	const maps, clients = 40, 75
	s := newSendmail(t, "")
	decided := map[string]int{}
	for seed := range uint64(maps) {
		g := generator{rand.New(rand.NewPCG(16, seed))}
		all := make([]client, clients)
		for i := range all {
			all[i] = g.client()
		}
		text := g.text(all)
		s.makemap(text)
		m := Read(text)
		for i, theirs := range s.ask(all) {
			found := m.Look(all[i].addr, all[i].names()...)
			if ours := ours(found); !same(ours, theirs) {
				t.Fatalf("map %d, %v:\nwe:       %q %+v\nsendmail: %q\n%s", seed, all[i], ours,
					found, theirs, text)
			}
			for tag := range Tags {
				kind, _, _ := strings.Cut(theirs[tag], " ")
				if strings.Trim(kind, "0123456789") == "" {
					kind = "number"
				}
				decided[fmt.Sprint(tag, " ", kind)]++
			}
		}
	}
	t.Log(decided)
	for _, kind := range []string{"Connect OK", "Connect reject", "Connect text", "Connect nothing",
		"GreetPause number", "GreetPause nothing", "ClientRate number", "ClientRate nothing",
		"ClientConn number", "ClientConn nothing"} {
		if decided[kind] < maps*clients/50 {
			t.Errorf("%s: %d times in %d", kind, decided[kind], maps*clients)
		}
	}
}

// generator makes maps and clients that have to do with each other.
type generator struct{ *rand.Rand }

func pick[T any](g generator, of ...T) T { return of[g.IntN(len(of))] }

func (g generator) client() (c client) {
	if g.IntN(3) > 0 {
		c.addr = netip.AddrFrom4([4]byte{pick[byte](g, 10, 100, 198), pick[byte](g, 0, 1, 10, 51),
			pick[byte](g, 0, 10, 100), pick[byte](g, 0, 1, 7, 10, 255)})
	} else {
		var b [16]byte
		copy(b[:], []byte{0x20, 1, 0xd, 0xb8})
		for i := 4; i < 16; i++ {
			if g.IntN(4) == 0 {
				b[i] = pick[byte](g, 1, 0x10, 0xab)
			}
		}
		c.addr = netip.AddrFrom16(b)
	}
	if g.IntN(2) == 0 {
		labels := []string{pick(g, "net", "org"), pick(g, "example", "co-op", "net"),
			pick(g, "mail", "mx1", "a_b", "xn--q"), pick(g, "a", "1", "mail"), "host"}
		for _, label := range labels[:1+g.IntN(len(labels))] {
			c.name = strings.TrimSuffix(label+"."+c.name, ".")
		}
	}
	return c
}

// text is a map of lines that hold some of these clients.
func (g generator) text(clients []client) string {
	var b strings.Builder
	for range 20 + g.IntN(100) {
		tag := pick(g, "", "", "Connect:", "Connect:", "GreetPause:", "GreetPause:", "ClientRate:",
			"ClientConn:")
		if tag == "ClientRate:" && g.IntN(20) == 0 || tag == "ClientConn:" && g.IntN(20) == 0 {
			fmt.Fprintf(&b, "%s\t%d\n", tag, g.IntN(30)) // the tag alone
			continue
		}
		value := g.number
		if tag == "" || tag == "Connect:" {
			value = g.access
		}
		fmt.Fprint(&b, g.cased(tag+g.key(pick(g, clients...))), pick(g, " ", "\t", "   ", "\t \t"),
			value(), pick(g, "", "", "", " ", "\r"), "\n")
		if g.IntN(10) == 0 {
			fmt.Fprint(&b, pick(g, "\n", "# Connect:10 REJECT\n", " Connect:10 REJECT\n",
				"Connect:10\n", "From:example.net REJECT\n", "To:10 REJECT\n", "Spam:net FRIEND\n",
				"Conect:10 REJECT\n", "user@example.net REJECT\n", "\t# indented\n", "   \n"))
		}
	}
	return b.String()
}

func (g generator) cased(s string) string {
	switch g.IntN(12) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.ToLower(s)
	}
	return s
}

// key is a key that holds the client, or one that looks as if it did.
func (g generator) key(c client) string {
	if c.name != "" && g.IntN(2) == 0 {
		name := c.name
		for g.IntN(3) > 0 {
			_, rest, more := strings.Cut(name, ".")
			if !more {
				break
			}
			name = rest
		}
		return pick(g, name, name, name, name, name, name+".", "."+name, "*."+name, "x"+name,
			"@"+name, "["+name+"]")
	}
	separator, parts := ":", strings.Split(c.written(), ":")
	if c.addr.Is4() {
		separator, parts = ".", strings.Split(c.written(), ".")
	}
	key := strings.Join(parts[:1+g.IntN(len(parts))], separator)
	switch g.IntN(12) {
	case 0, 1, 2:
		return "[" + key + "]"
	case 3:
		return key + separator
	case 4:
		return pick(g, "["+key, key+"]", "["+key+separator+"]", separator+key)
	case 5: // leading zeros, and another address in the last place
		return key[:len(key)-1] + "0" + key[len(key)-1:]
	case 6:
		if c.addr.Is6() {
			return pick(g, "IPv6:", "") + c.addr.String()
		}
		return pick(g, c.written(), "IPv6:::ffff:"+c.written(), key+".0", key+".256", key+".1.2.3")
	case 7:
		return pick(g, "IPv6", "[IPv6]", "net", "org", "10", "[10]", "IPv6:2001", "IPv6:2001:db8")
	}
	return key
}

func (g generator) number() string {
	return pick(g, "0", "5", "10", "100", "5000", "299999", "300000", "300001", "SKIP", "SKIP",
		"skip", "007", "5s", "5 6", "5.5", "10 (ten)", "x", "OK", "REJECT", "-1", "10000000000",
		"99999999999999999999", "(x) 3", `"5"`)
}

func (g generator) access() string {
	switch g.IntN(4) {
	case 0:
		return pick(g, "REJECT", "REJECT", "reject", "Reject", "REJECT (no)", "REJECT.",
			"REJECT # no", `"REJECT"`)
	case 1:
		return pick(g, "OK", "RELAY", "ok", "Relay", "DISCARD", "OK (yes)", "OK yes",
			"QUARANTINE:text here", "quarantine:x", "QUARANTINE", "QUARANTINE:", "DISCARD:x")
	case 2:
		return pick(g, "SKIP", "SKIP", "skip", "SKIP x")
	}
	return g.refusal()
}

// refusal is a text as people write them, and worse.
func (g generator) refusal() string {
	words := pick(g, "", "550 ", "550 ", "554 ", "451 ", "421 ", "550 5.7.1 ", "450 4.7.1 ",
		"550 5.7 ", "550-", "55 ", "559")
	for range g.IntN(6) {
		words += pick(g, "no", "mail", "from you", "http://www.example.net/x?a=1&b=2", "a, b", "x;",
			"(a comment)", "see: this", "it's", "[10.0.0.1]", "user@example.net", "<you>", "{x}",
			"100%%", "%0", "%1", "a!b", "#", "$1", "a/b", "...", "=", "two  blanks", "5.7.1",
			`back\slash`, `"quoted: words"`, `a"b c"d`) +
			pick(g, " ", " ", " ", "", ", ", ": ")
	}
	if strings.Trim(words, " ") == "" || strings.Count(words, "<") > 1 {
		words = "550 text"
	}
	if !strings.Contains(words, `"`) && g.IntN(3) == 0 {
		words = `"` + words + `"`
	}
	return pick(g, "", "", "ERROR:", "ERROR:", "ERROR:5.7.1:", "ERROR:4.2.1:", "ERROR:x.y.z:",
		"ERROR:5.7:", "error:", "ERROR: ") + words
}
