package admin

import (
	"strings"
	"testing"
)

// Commands take addresses as the log and bounces write them, and refuse other words.
func TestAddresses(t *testing.T) {
	p := inPlace(t, noNotes)
	for arg, want := range map[string]string{
		"192.0.2.30": "192.0.2.30/32", "[192.0.2.30]": "192.0.2.30/32",
		"[192.0.2.30]:51544": "192.0.2.30/32", "[IPv6:2001:db8::1]": "2001:db8::/64",
		"[2001:db8::1]:25": "2001:db8::/64", "[ipv6:2001:db8::1]:25": "2001:db8::/64",
	} {
		for _, command := range []string{"check", "block", "unblock", "strike"} {
			if said, _ := p.says(0, command, arg); !strings.Contains(said, want) {
				t.Errorf("%s %s: %q; want %s", command, arg, said, want)
			}
		}
		p.says(0, "unblock", arg)
	}
	for arg, want := range map[string]string{
		"192.0.2.300":    `"192.0.2.300" is not an address; write one such as 192.0.2.7` + "\n",
		"[192.0.2.30]x":  "write 192.0.2.30\n",
		"[192.0.2.0/24]": "",
		"192.0.2.1/24":   "host bits set",
	} {
		for _, command := range []string{"check", "block", "unblock", "strike"} {
			if _, said := p.says(ExitUsage, command, arg); !strings.Contains(said, want) {
				t.Errorf("%s %s: %q; want %s", command, arg, said, want)
			}
		}
	}
	want := `"` + p.conf + `" is not an address; write sendwrap check -f ` + p.conf + "\n"
	if _, said := p.says(ExitUsage, "check", p.conf); !strings.Contains(said, want) {
		t.Errorf("check of a file: %q; want %q", said, want)
	}
}
