package admin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// check ADDRESS counts by the limit that holds at the door: with a room in the ledger, the room's.
func TestCheckAsRoom(t *testing.T) {
	for _, inRoom := range []bool{false, true} {
		p := inPlace(t, "max_waiting 2 room=9")
		p.enter(2, 2, 4*time.Minute, inRoom, false)
		text, _ := p.says(0, "check", "198.51.100.1")
		want, verdict := "2 of 2 waiting", "verdict: BUSY\n"
		if inRoom {
			want, verdict = "2 of 9 waiting", "verdict: PASS after 6s\n"
		}
		if !strings.Contains(text, want) || !strings.HasSuffix(text, verdict) {
			t.Errorf("in a room: %v\n%swant %q, %q", inRoom, text, want, verdict)
		}
	}
}

// noNotes are lines after which check has nothing to note.
const noNotes = "allow 127.0.0.0/8 ::1\nmax_waiting 1000\n"

// check says which number to write where the limits allow more sessions than the ledger has room
// for. Who writes that has room.
func TestCheckNotesLedgerSize(t *testing.T) {
	for _, tt := range []struct {
		lines   string
		clients int
		want    string
	}{
		{"max_waiting 30000", 8192, "max_sessions 300 and max_waiting 30000 are 30300 sessions, but clients=8192 has room for 4096; write clients=60600"},
		{"max_waiting 1000 room=30000", 8192, "max_sessions 300 and max_waiting room=30000 are 30300 sessions, but clients=8192 has room for 4096; write clients=60600"},
		{"max_waiting 30000 room=9", 8192, "max_sessions 300 and max_waiting 30000 are 30300 sessions, but clients=8192 has room for 4096; write clients=60600"},
		{"max_sessions 3097\nmax_waiting 1000", 1024, "max_sessions 3097 and max_waiting 1000 are 4097 sessions, but clients=1024 has room for 4096; write clients=8194"},
		{"max_sessions 3096\nmax_waiting 1000", 1024, ""},
		{"max_sessions 100000\nmax_waiting 1000000", 65536,
			"max_sessions 100000 and max_waiting 1000000 are 1100000 sessions, but clients=65536 has room for 32768; write clients=2200000"},
		{"", 65536, ""}, // the defaults
	} {
		p := inPlace(t, "")
		conf := "mta /bin/true\nhostname mx.example.org\nallow 127.0.0.0/8 ::1\n" + tt.lines +
			"\nledger " + p.ledger + " clients="
		p.write(conf + fmt.Sprintln(tt.clients))
		want := ""
		if tt.want != "" {
			want = "note: ledger: " + tt.want + "\n"
		}
		if _, said := p.says(0, "check"); said != want {
			t.Errorf("%q: %q; want %q", tt.lines, said, want)
		}
		if tt.want == "" {
			continue
		}
		_, number, _ := strings.Cut(tt.want, "; write clients=")
		p.write(conf + number + "\n")
		if _, said := p.says(0, "check"); said != "" {
			t.Errorf("%q, with clients=%s: %q", tt.lines, number, said)
		}
	}
}

// check says that mail of this machine's own has to wait, unless something is said about where it
// comes from.
func TestCheckNotesLoopback(t *testing.T) {
	const note = "note: allow: mail of this machine's own comes from 127.0.0.1 and ::1, and has to wait; write allow 127.0.0.0/8 ::1\n"
	for lines, want := range map[string]string{
		"": note, "allow 127.0.0.1": note, "allow ::1": note, "allow 192.0.2.0/24": note, "deny 127.0.0.1": note,
		"allow 127.0.0.1 ::1": "", "allow 127.0.0.0/8 ::1": "", "deny 127.0.0.1 ::1": "", "allow 0.0.0.0/0 ::/0": "",
	} {
		p := inPlace(t, lines+"\nmax_waiting 1000")
		if _, said := p.says(0, "check"); said != want {
			t.Errorf("%q: %q; want %q", lines, said, want)
		}
	}
}

// check says where there can be no ledger, and why, and makes nothing. What it says is what opening
// it comes to.
func TestCheckExaminesLedger(t *testing.T) {
	if os.Geteuid() != 0 {
		lab.Need(t, "another's files are refused: run this test as root")
	}
	sub := t // the test case at hand
	mkdir := func(name string, mode os.FileMode) string {
		if err := errors.Join(os.MkdirAll(name, 0o700), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	file := func(name string, mode os.FileMode) string {
		mkdir(filepath.Dir(name), 0o700)
		if err := errors.Join(os.WriteFile(name, nil, mode), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	chown := func(name string) string {
		if err := os.Chown(name, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		return name
	}
	readOnly := func(name string) string {
		mkdir(name, 0o700)
		if err := unix.Mount("none", name, "tmpfs", unix.MS_RDONLY, "mode=700"); err != nil {
			lab.Need(sub, "mount(2) is needed, so CAP_SYS_ADMIN: "+err.Error())
		}
		sub.Cleanup(func() { unix.Unmount(name, 0) })
		return name
	}
	tests := []struct {
		name  string
		place func(top string) string // of the ledger
		want  string                  // TOP is the test's directory; "" = nothing
	}{
		{"there", func(top string) string { return file(top+"/ledger", 0o600) }, ""},
		{"not there", func(top string) string { return top + "/ledger" }, ""},
		{"its directory is made", func(top string) string { return top + "/dir/ledger" }, ""},
		{"a directory that others may read", func(top string) string { return mkdir(top+"/dir", 0o755) + "/ledger" }, ""},
		{"a linked directory", func(top string) string {
			if err := os.Symlink(mkdir(top+"/dir", 0o700), top+"/link"); err != nil {
				t.Fatal(err)
			}
			return top + "/link/ledger"
		}, ""},

		{"a damaged one, where it is set aside", func(top string) string {
			return file(mkdir(top+"/dir", 0o700)+"/ledger", 0o600)
		}, ""},
		{"a damaged one, where it stays", func(top string) string {
			path := file(top+"/dir/ledger", 0o600)
			mkdir(top+"/dir", 0o755)
			return path
		}, "TOP/dir/ledger: is not a ledger; if it was the ledger, remove it, else name another " +
			"place; in a directory of its own, mode 0700, a bad ledger is set aside"},
		{"a newer one", func(top string) string {
			return newer(mkdir(top+"/dir", 0o700) + "/ledger")
		}, "TOP/dir/ledger: is a ledger of version 99; this program writes 3; " +
			"install the newer sendwrap again, or move the file away to start a new ledger"},

		{"no parent", func(top string) string { return top + "/a/b/ledger" },
			"there is no directory TOP/a; mkdir -p -m 0700 TOP/a/b"},
		{"a file as parent", func(top string) string { return file(top+"/a", 0o600) + "/b/ledger" },
			"open TOP/a/b: not a directory; name another place, such as /var/lib/sendwrap/ledger"},
		{"a file as directory", func(top string) string { return file(top+"/a", 0o600) + "/ledger" },
			"open TOP/a: not a directory; name another place, such as /var/lib/sendwrap/ledger"},
		{"a directory that others may write", func(top string) string { return mkdir(top+"/dir", 0o770) + "/ledger" },
			"TOP/dir: mode 0770 lets others in; put the ledger in a directory of its own, mode 0700"},
		{"as /tmp", func(top string) string { return mkdir(top+"/dir", 0o777|os.ModeSticky) + "/ledger" },
			"TOP/dir: mode 01777 lets others in; put the ledger in a directory of its own, mode 0700"},
		{"another's directory", func(top string) string { return chown(mkdir(top+"/dir", 0o700)) + "/ledger" },
			"TOP/dir: belongs to uid 65534; chown it to root, or run sendwrap as that user"},
		{"a file that others may read", func(top string) string { return file(top+"/ledger", 0o640) },
			"TOP/ledger: mode 0640 lets others in; if it is the ledger, chmod 0600 it, else name another place"},
		{"another's file", func(top string) string { return chown(file(top+"/ledger", 0o600)) },
			"TOP/ledger: belongs to uid 65534; chown it to root, or run sendwrap as that user"},
		{"a directory in its place", func(top string) string { return mkdir(top+"/ledger", 0o700) },
			"TOP/ledger: is not a regular file; name another place for the ledger"},
		{"a link in its place", func(top string) string {
			if err := os.Symlink(file(top+"/other", 0o600), top+"/ledger"); err != nil {
				t.Fatal(err)
			}
			return top + "/ledger"
		}, "TOP/ledger: is not a regular file; name another place for the ledger"},
		{"a pipe in its place", func(top string) string {
			if err := unix.Mkfifo(top+"/ledger", 0o600); err != nil {
				t.Fatal(err)
			}
			return top + "/ledger"
		}, "TOP/ledger: is not a regular file; name another place for the ledger"},
		{"not to be written to", func(top string) string { return readOnly(top+"/dir") + "/ledger" },
			"TOP/dir cannot be written to: read-only file system; name another place for the ledger"},
		{"not to be made", func(top string) string { return readOnly(top+"/dir") + "/dir/ledger" },
			"TOP/dir cannot be written to: read-only file system; name another place for the ledger"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top := mkdir(filepath.Join(t.TempDir(), "top"), 0o700)
			sub = t
			path := tt.place(top)
			before := tree(t, top)
			p := inPlace(t, "")
			p.write(fmt.Sprintf("mta /bin/true\nledger %s clients=1024\n%shostname mx.example.org\n",
				path, noNotes))
			code, want := 0, ""
			if tt.want != "" {
				code = ExitUsage
				want = p.conf + ":2: ledger: " + strings.ReplaceAll(tt.want, "TOP", top) + "\n1 error\n"
			}
			if _, got := p.says(code, "check"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if after := tree(t, top); after != before {
				t.Errorf("there was\n%snow there is\n%s", before, after)
			}
			l, _, err := ledger.Open(path, 1024, ledger.ThisBoot())
			if (err != nil) != (tt.want != "") {
				t.Errorf("but opening it: %v", err)
			}
			if err == nil {
				l.Close()
			}
		})
	}
}

// newer makes a ledger of a version to come.
func newer(path string) string {
	l, _, err := ledger.Open(path, 1024, ledger.ThisBoot())
	if err == nil {
		l.Close()
		var image []byte
		if image, err = os.ReadFile(path); err == nil {
			image[8] = 99
			err = os.WriteFile(path, image, 0o600)
		}
	}
	if err != nil {
		panic(err)
	}
	return path
}

// tree lists what is in a directory.
func tree(t *testing.T, top string) string {
	t.Helper()
	text := ""
	err := filepath.Walk(top, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			text += fmt.Sprintln(path, info.Mode(), info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// check says what on_block, transcript and guard_listen name that could not be used, each in a
// line, and nothing of what could.
func TestCheckExaminesGuard(t *testing.T) {
	dir := t.TempDir()
	program, open, notes := filepath.Join(dir, "program"), filepath.Join(dir, "open"), filepath.Join(dir, "notes")
	if err := errors.Join(
		os.WriteFile(program, nil, 0o755), os.WriteFile(notes, nil, 0o644),
		os.Mkdir(open, 0o700), os.Chmod(open, 0o777), os.WriteFile(filepath.Join(dir, "shared"), nil, 0o755), os.Chmod(filepath.Join(dir, "shared"), 0o777),
		os.WriteFile(filepath.Join(open, "program"), nil, 0o755),
	); err != nil {
		t.Fatal(err)
	}
	const owner = "chmod go-w it\n1 error\n" // and no other cure
	for _, tt := range []struct{ line, want string }{
		{"on_block " + program, ""},
		{"on_block /no/such/program", `on_block: no such file "/no/such/program"; write on_block PROGRAM ARG...`},
		{"on_block " + notes, `on_block: "` + notes + `" is not a program`},
		{"on_block " + dir, `on_block: "` + dir + `" is not a program`},
		{"on_block " + dir + "/shared",
			"on_block: " + dir + "/shared: mode 0777 lets others write it; " + owner},
		{"on_block " + open + "/program",
			"on_block: " + open + ": mode 0777 lets others replace what is in it; " + owner},
		{"transcript " + dir + "/transcripts", ""},
		{"transcript " + notes, "transcript: " + notes + " is not a directory"},
		{"transcript /no/such/dir/x", "transcript: there is no directory /no/such/dir; mkdir -p"},
		{"transcript " + open, "transcript: " + open + ": mode 0777 lets others in; name a directory of the guard's own"},
		{"guard_listen unix:/run/sendwrap/guard.sock owner=nosuch", "guard_listen: owner=nosuch: no such user"},
		{"guard_listen unix:/run/sendwrap/guard.sock owner=root", ""},
		{"guard_listen unix:/run/sendwrap/guard.sock owner=1234", ""},
	} {
		p := inPlace(t, tt.line+"\n"+noNotes)
		code := 0
		if tt.want != "" {
			code = ExitUsage
		}
		_, said := p.says(code, "check")
		if want := p.conf + ":3: " + tt.want; tt.want == "" && said != "" ||
			tt.want != "" && !strings.HasPrefix(said, want) {
			t.Errorf("%s: %q; want %q", tt.line, said, want)
		}
	}
}

// check notes by what others could change the MTA or a line of the configuration. That is no
// mistake in a line: mail goes on, and so does a reload.
func TestCheckNotesWhoCanWrite(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	program, part := filepath.Join(open, "program"), filepath.Join(open, "part")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777),
		os.WriteFile(program, nil, 0o755), os.WriteFile(part, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	why := open + ": mode 0777 lets others replace what is in it; chmod go-w it\n"
	p := inPlace(t, "include "+part+"\n"+noNotes)
	p.write(strings.Replace(p.read(), "/bin/true", program, 1))
	_, said := p.says(0, "check")
	if want := "note: " + p.conf + ":1: mta: " + why + "note: " + part + ": " + why; said != want {
		t.Errorf("check: %q; want %q", said, want)
	}
}

// check says when nobody is refused, whatever the lines say.
func TestCheckSaysItObserves(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"mode observe", ", mode observe: no client is refused\n"}, {"mode enforce", "networks\n"},
	} {
		p := inPlace(t, tt.line+"\n"+noNotes)
		if said, _ := p.says(0, "check"); !strings.HasSuffix(said, tt.want) {
			t.Errorf("%s: %q; want %q", tt.line, said, tt.want)
		}
	}
}

// Addresses are taken as the log and bounces have them; what is none is said to be none.
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

// check says of an mta line that a shell would read in another way what comes of it.
func TestCheckNotesShellHabits(t *testing.T) {
	for _, tt := range []struct {
		mta  string
		code int
		want string // "" = nothing
	}{
		{"/bin/true | tee", 0, `note: CONF:1: mta: "|" would be an argument; there is no shell: ` +
			"write a script and name it\n"},
		{"/bin/true -bs && /bin/true", 0, `note: CONF:1: mta: "&&" would be`},
		{"/bin/true > /dev/null", 0, `note: CONF:1: mta: ">" would be`},
		{`/bin/true ";"`, 0, `note: CONF:1: mta: ";" would be`},
		{"/bin/true a|b -x;", 0, ""},
		{`"/bin/true -bs"`, ExitUsage, `CONF:1: mta: no such file "/bin/true -bs": ` +
			"the quotes make it one word; leave them out\n"},
		{`"/no/such/mta -bs"`, ExitUsage, `CONF:1: mta: no such file "/no/such/mta -bs"; write mta `},
	} {
		p := inPlace(t, noNotes)
		p.write(strings.Replace(p.read(), "/bin/true", tt.mta, 1))
		_, said := p.says(tt.code, "check")
		said = strings.ReplaceAll(said, p.conf, "CONF")
		if !strings.HasPrefix(said, tt.want) || (said == "") != (tt.want == "") {
			t.Errorf("mta %s: %q; want %q", tt.mta, said, tt.want)
		}
	}
}
