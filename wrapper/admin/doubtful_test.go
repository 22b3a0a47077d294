package admin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
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

// sendmail -bs without -Am reads submit.cf if there is one.
func TestCheckNotesSubmit(t *testing.T) {
	lab.NeedRoot(t)
	dir := t.TempDir()
	real, other := filepath.Join(dir, "sendmail.real"), filepath.Join(dir, "sendmail")
	link := filepath.Join(dir, "mta")
	if err := errors.Join(os.WriteFile(real, []byte("\x7fELF\x00submit.cf\x00"), 0o755),
		os.WriteFile(other, []byte("\x7fELF"), 0o755), os.Symlink(real, link)); err != nil {
		t.Fatal(err)
	}
	machine, err := lab.NewThread(unix.CLONE_NEWNS)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	note := "without -Am this sendmail reads /etc/mail/submit.cf, " +
		"which is not for a mail server; write mta " + link + " -Am -bs"
	for _, tt := range []struct {
		submit    bool
		mta, want string
	}{
		{false, link + " -bs", ""},
		{true, link + " -bs", note},
		{true, link + " -bs -O Timeout.ident=0", note + " -O Timeout.ident=0"},
		{true, link + " -Am -bs", ""},
		{true, link + " -C/etc/mail/sendmail.cf -bs", ""},
		{true, link, ""},
		{true, other + " -bs", ""},
		{true, "/no/such/sendmail -bs", ""},
	} {
		machine.Do(func() {
			if !tt.submit {
				err = errors.Join(unix.Mount("none", "/etc", "tmpfs", 0, ""),
					os.Mkdir("/etc/mail", 0o755))
			} else {
				err = os.WriteFile(submitFile, nil, 0o644)
			}
			if got := submitNote(strings.Fields(tt.mta)); err == nil && got != tt.want {
				t.Errorf("%s, with submit.cf %v: %q; want %q", tt.mta, tt.submit, got, tt.want)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
