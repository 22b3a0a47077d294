package admin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
)

// check notes a line of inetd.conf that starts sendwrap and is switched off, or will be by Debian's
// sendmail, unless another line starts sendwrap.
func TestInetdNote(t *testing.T) {
	const (
		ours = "stream\ttcp\tnowait.60000\troot\t/sendwrap\tsendwrap\n"
		cure = "write 25 in place of smtp, and restart inetd"
		off  = "FILE:2: this line is switched off; remove #<off>#, " + cure
		will = "FILE:2: sendmail's package switches this line off at sendmailconfig and " +
			"at upgrades; " + cure
		few = "FILE:2: nowait without a number: after 256 starts in a minute inetd closes " +
			"the port for ten minutes; write nowait.60000"
		another = "smtp stream tcp nowait root /usr/sbin/sendmail sendmail -Am -bs\n"
	)
	dir := t.TempDir()
	file, program := filepath.Join(dir, "inetd.conf"), filepath.Join(dir, "sendwrap")
	self, err := os.Executable()
	if err = errors.Join(err, os.WriteFile(program, nil, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		lines  string
		debian bool
		want   string
	}{
		{"smtp " + ours, false, ""},
		{"smtp " + ours, true, will},
		{"25 " + ours, true, ""},
		{"192.0.2.1:25 " + ours, true, ""},
		{"#<off># smtp " + ours, true, off},
		{"#<off># smtp " + ours, false, off},
		{"#<off>#smtp " + ours, true, off},
		{"#<off># smtp " + ours + "25 " + ours, true, ""},
		{"25 " + ours + "#<off># smtp " + ours, true, ""},
		{"#<off># smtp " + ours + "#smtp " + ours, true, off},
		{"#smtp " + ours, true, ""},
		{"#<off># " + another, true, ""},
		{another, true, ""},
		{"smtp stream tcp nowait root /usr/sbin/tcpd /sendwrap\n", true, few + "\n" + will},
		{"smtp stream\n\n", true, ""},
		{"25 stream tcp nowait root /sendwrap sendwrap\n", false, few},
		{"#25 stream tcp nowait mail /no/sendwrap sendwrap\n", false, ""},
		{"25 stream tcp wait root.root /sendwrap sendwrap listen\n", false, ""},
		{"25 stream tcp nowait.9 mail:mail /sendwrap sendwrap\n", false,
			"FILE:2: user mail; write root"},
		{"25 " + ours + "26 stream tcp nowait.9 root /no/sendwrap sendwrap\n", false,
			"FILE:3: no such file /no/sendwrap; write SELF"},
	} {
		lines := strings.ReplaceAll(tt.lines, "/sendwrap\t", program+"\t")
		lines = strings.ReplaceAll(lines, " /sendwrap", " "+program)
		if err := os.WriteFile(file, []byte("# services\n"+lines), 0o600); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(inetdNotes(file, tt.debian), "\n")
		got = strings.NewReplacer(file, "FILE", self, "SELF").Replace(got)
		if got != tt.want {
			t.Errorf("%q, with Debian's sendmail: %v\n got %q\nwant %q",
				tt.lines, tt.debian, got, tt.want)
		}
	}
	if got := inetdNotes("/no/such/file", true); got != nil {
		t.Errorf("without inetd.conf: %q", got)
	}
}

// check notes that sendmail has a delay of its own, from the file that sendmail reads.
func TestCheckNotesGreetPause(t *testing.T) {
	dir := t.TempDir()
	program, cf, plain := dir+"/sendmail", dir+"/pause.cf", dir+"/plain.cf"
	for name, text := range map[string]string{
		program: "", plain: "O Timeout.ident=0\n",
		cf: "SLocal_greet_pause\nSgreet_pause\nR$*\t$# 1000\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(program, filepath.Join(dir, "mta")); err != nil {
		t.Fatal(err)
	}
	note := "note: CONF:1: mta: greet_pause of " + cf + " makes clients wait a second time; " +
		"remove FEATURE(`greet_pause') from sendmail.mc, and make pause.cf from it\n"
	for mta, want := range map[string]string{
		program + " -C " + cf + " -bs":     note,
		program + " -bs -C" + cf:           note,
		dir + "/mta -Am -C " + cf + " -bs": note,
		program + " -C " + plain + " -bs":  "",
		"/bin/true -C " + cf:               "",
	} {
		p := inPlace(t, noNotes)
		p.write(strings.Replace(p.read(), "/bin/true", mta, 1))
		_, said := p.says(0, "check")
		if said = strings.ReplaceAll(said, p.conf, "CONF"); said != want {
			t.Errorf("mta %s: %q; want %q", mta, said, want)
		}
	}
}

// check names the program that has port 25, unless it is one that starts sendwrap.
func TestCheckNotesWhoHasThePort(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	p := inPlace(t, noNotes)
	said := func() string {
		_, said := p.says(0, "check")
		return said
	}
	if got := said(); got != "" {
		t.Errorf("with nobody there: %q", got)
	}
	for _, addr := range []string{"127.0.0.1:25", "[::1]:25"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		comm, err := os.ReadFile("/proc/self/comm")
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("note: port 25 is held by %q (process %d); "+
			"unless it starts sendwrap, stop it\n",
			strings.TrimSpace(string(comm)), os.Getpid())
		if got := said(); got != want {
			t.Errorf("%s: got %q; want %q", addr, got, want)
		}
		if _, said := p.says(0, "check", "192.0.2.9"); said != "" {
			t.Errorf("check of a client: %q", said)
		}
		if err := os.WriteFile("/proc/self/comm", []byte("xinetd"), 0); err != nil {
			t.Fatal(err)
		}
		if got := said(); got != "" {
			t.Errorf("%s, by a super-server: %q", addr, got)
		}
		if err := os.WriteFile("/proc/self/comm", comm, 0); err != nil {
			t.Fatal(err)
		}
		client, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		session, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		l.Close()
		if got := said(); got != "" {
			t.Errorf("%s, with a session and nobody who listens: %q", addr, got)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:2500")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := said(); got != "" {
		t.Errorf("another port: %q", got)
	}
}

// check notes that refusals give the machine's name without a domain, unless hostname is set.
func TestCheckNotesHostname(t *testing.T) {
	machine, err := lab.NewThread(unix.CLONE_NEWUTS | unix.CLONE_NEWNS)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	const note = `hostname: refusals call this machine "sendwraps", without a domain; ` +
		"write hostname mx.example.org"
	for _, tt := range []struct{ node, configured, want string }{
		{"sendwraps", "", note}, {"sendwraps.example", "", ""}, {"sendwraps", "mx.example.org", ""},
	} {
		machine.Do(func() {
			if err = unix.Sethostname([]byte(tt.node)); err == nil {
				if got := hostnameNote(&config.Config{
					Settings: policy.Settings{Hostname: tt.configured},
				}); got != tt.want {
					t.Errorf("%+v: %q", tt, got)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
