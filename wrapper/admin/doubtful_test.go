package admin

import (
	"strings"
	"testing"
)

// check names the line of a mistake outside the file, or the file if there is no such line.
func TestCheckNamesTheLine(t *testing.T) {
	p := inPlace(t, noNotes+"on_block /no/such/program")
	p.write(strings.Replace(p.read(), "/bin/true", "/no/such/mta", 1))
	_, said := p.says(ExitUsage, "check")
	for _, want := range []string{
		p.conf + ":1: mta: exec /no/such/mta: no such file or directory; write mta PROGRAM",
		p.conf + ":5: on_block: exec /no/such/program: no such file or directory; write on_block ",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("check: %q; want %q", said, want)
		}
	}
}

// check notes networks and names that are listed twice, and lines that refuse all clients.
func TestCheckNotesNetworks(t *testing.T) {
	for _, tt := range []struct{ lines, want string }{
		{"allow 192.0.2.0/24 192.0.2.1\ndeny 192.0.2.1/32 203.0.113.0/24", "contradicts"},
		{"allow 192.0.2.0/24 192.0.2.1", ""},
		{"allow 192.0.2.1\nallow 192.0.2.2 192.0.2.1",
			"note: F:6: allow 192.0.2.1/32 is also at F:5; keep one\n"},
		{"deny 2001:db8::/32 2001:db8::/32",
			"note: F:5: deny 2001:db8::/32 is also at F:5; keep one\n"},
		{"deny 0.0.0.0/0",
			"note: F:5: deny 0.0.0.0/0 refuses every client outside the allow lines; " +
				"remove it if that is not intended\n"},
		{"client_conns 9\ndeny 192.0.2.1 ::/0\nallow 2001:db8::/32",
			"note: F:6: deny ::/0 refuses every client outside the allow lines; " +
				"remove it if that is not intended\n"},
		{"deny 0.0.0.0/1 128.0.0.0/1", ""},
		{"greet_delay 0\nallow .example.org",
			"note: F:5: greet_delay: without a delay no client's name is known, and the lines " +
				"with names hold for nobody but clients with a delay of their own\n"},
		{"greet_delay 0", ""}, {"greet_delay 1s\nallow .example.org", ""},
		{"allow .example.org\nallow mx.example.org .EXAMPLE.org.",
			"note: F:6: allow .example.org is also at F:5; keep one\n"},
		{"allow .example.org example.org", ""},
		{"allow .example.org\ndeny mx.example.org .example.org", "contradicts"},
	} {
		p := inPlace(t, noNotes+tt.lines)
		code := 0
		if tt.want == "contradicts" {
			code = ExitUsage
		}
		_, said := p.says(code, "check", "-n")
		said = strings.ReplaceAll(said, p.conf, "F")
		if said != tt.want && (code == 0 || !strings.Contains(said, tt.want)) {
			t.Errorf("%q: %q; want %q", tt.lines, said, tt.want)
		}
	}
}
