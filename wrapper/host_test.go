package wrapper

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/policy"
)

// If the node name lacks a domain, the line of the machine in /etc/hosts has it.
func TestWithDomain(t *testing.T) {
	for _, tt := range []struct{ name, hosts, want string }{
		{"first on its line", "127.0.1.1 mx.example.org mx\n", "mx.example.org"},
		{"behind the short one", "192.0.2.1\tmx  mx.example.org # us\n", "mx.example.org"},
		{"another name of the machine", "192.0.2.1 mail.example.org mx", "mail.example.org"},
		{"in capitals", "192.0.2.1 Mx.Example.org MX", "Mx.Example.org"},
		{"the line of all names of loopback", "127.0.0.1 localhost localhost.localdomain mx\n",
			"mx"},
		{"a later line", "127.0.0.1 localhost mx\n::1 localhost\n192.0.2.1 mx.example.org mx\n",
			"mx.example.org"},
		{"absolute", "192.0.2.1 mx.example.org. mx\n", "mx.example.org"},
		{"a comment", "192.0.2.1 # mx mx.example.org\n", "mx"},
		{"an address is no name", "192.0.2.1 mx\n", "mx"},
		{"another machine's line", "192.0.2.2 mx2.example.org mx2\n", "mx"},
		{"of Red Hat's line",
			"127.0.0.1 mx localhost localhost.localdomain localhost4.localdomain4\n", "mx"},
		{"an address", "192.0.2.1 192.0.2.7 mx\n", "mx"},
		{"no name", "192.0.2.1 a%s.b evil..com <x>.org mx\n", "mx"},
		{"unprintable", "192.0.2.1 m\x01x.example.org mx\n", "mx"},
		{"too long", "192.0.2.1 " + strings.Repeat("x", policy.MaxHostname) + ".org mx\n", "mx"},
		{"nothing", "", "mx"},
	} {
		if got := withDomain("mx", tt.hosts); got != tt.want {
			t.Errorf("%s: %q; want %q", tt.name, got, tt.want)
		}
	}
}

// The name in replies is what the configuration says, or the machine's, with its domain.
func TestHostName(t *testing.T) {
	lab.NeedRoot(t)
	machine, err := lab.NewThread(unix.CLONE_NEWNS | unix.CLONE_NEWUTS)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("127.0.1.1 mx.example.org mx\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	settings := policy.Default()
	c := &settings
	for _, tt := range []struct{ node, configured, want string }{
		{"mx", "", "mx.example.org"},
		{"mx.example.com", "", "mx.example.com"},
		{"other", "", "other"},
		{"m\nx", "", "localhost"},
		{"mx", "mail.example.org", "mail.example.org"},
	} {
		machine.Do(func() {
			if err = unix.Sethostname([]byte(tt.node)); err == nil && hosts != "" {
				err, hosts = unix.Mount(hosts, hostsFile, "", unix.MS_BIND, ""), ""
			}
			c.Hostname = tt.configured
			HostName(c)
		})
		if err != nil {
			t.Fatal(err)
		}
		if c.Hostname != tt.want {
			t.Errorf("node %q, hostname %q: %q; want %q", tt.node, tt.configured, c.Hostname,
				tt.want)
		}
	}
}

// A FIFO without a writer, or a missing file, does not delay a refusal.
func TestReadSome(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	lines := filepath.Join(t.TempDir(), "lines") // of which the last does not fit
	if err := os.WriteFile(lines, []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		fifo: 0, "/nowhere": 0, "/dev/zero": 0, "/proc": 0, lines: len("one\ntwo\n"),
	} {
		if got := readSome(path, 10); len(got) != want {
			t.Errorf("%s: %d bytes; want %d", path, len(got), want)
		}
	}
}
