package access

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCorpus reads maps as people write them. Beside each is what it says of some clients, and what
// is remarked on its lines. sendmail says the same, but of networks as CIDR it knows nothing.
func TestCorpus(t *testing.T) {
	names, err := filepath.Glob("testdata/corpus/*.access")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		base := strings.TrimSuffix(filepath.Base(name), ".access")
		t.Run(base, func(t *testing.T) {
			text := readFile(t, name)
			want := readFile(t, strings.TrimSuffix(name, ".access")+".want")
			m := Read(text)
			clients := clientsOf(t, want)
			var got strings.Builder
			for _, c := range clients {
				line := c.line() + " = " + described(m.Look(c.addr, c.names()...))
				fmt.Fprintln(&got, strings.TrimRight(line, " "))
			}
			for _, n := range m.Mistakes {
				fmt.Fprintf(&got, "mistake %d: %s; %s\n", n.Line, n.Msg, n.Hint)
			}
			for _, n := range m.Notes {
				fmt.Fprintf(&got, "note %d: %s; %s\n", n.Line, n.Msg, n.Hint)
			}
			if got.String() != want {
				t.Errorf("got\n%s\nwant\n%s", got.String(), want)
			}
			asSendmail(t, withoutCIDR(text), clients)
		})
	}
}

// withoutCIDR is a map without the lines that sendmail does not see.
func withoutCIDR(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if key, _, _ := strings.Cut(line, "\t"); !strings.Contains(key, "/") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// asSendmail asks sendmail and us about clients of a map.
func asSendmail(t *testing.T, text string, clients []client) {
	t.Helper()
	s := newSendmail(t, "")
	s.makemap(text)
	m := Read(text)
	for i, theirs := range s.ask(clients) {
		found := m.Look(clients[i].addr, clients[i].names()...)
		if ours := ours(found); !same(ours, theirs) {
			t.Errorf("%v:\nwe:       %q\nsendmail: %q", clients[i], ours, theirs)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (c client) line() string { return strings.TrimRight(c.addr.String()+" "+c.name, " ") }

// clientsOf are the clients at the beginning of lines of a .want.
func clientsOf(t *testing.T, want string) (all []client) {
	t.Helper()
	for line := range strings.Lines(want) {
		before, _, ok := strings.Cut(line, " =")
		words := strings.Fields(before)
		if !ok || len(words) == 0 || words[0] == "note" || words[0] == "mistake" {
			continue
		}
		addr, err := netip.ParseAddr(words[0])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, client{addr, strings.Join(words[1:], "")})
	}
	return all
}

// described is what a map says of a client: tag, value and line of each.
func described(found Found) string {
	var all []string
	for tag, e := range found {
		value := ""
		switch e.Value.Kind {
		case Nothing:
			continue
		case OK:
			value = "ok"
		case Reject:
			value = "reject"
		case Text:
			value = e.Value.Reply
		default:
			value = fmt.Sprint(e.Value.N)
		}
		all = append(all, fmt.Sprintf("%v %s (%d)", Tag(tag), value, e.Line))
	}
	return strings.Join(all, ", ")
}
