package admin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// check says which number to write if the limits allow more sessions than the ledger has room for.
// With that number there is room.
func TestCheckNotesLedgerSize(t *testing.T) {
	for _, tt := range []struct {
		lines   string
		clients int
		want    string
	}{
		{"max_waiting 30000", 8192,
			"max_sessions 300 and max_waiting 30000 are 30300 sessions, " +
				"but clients=8192 has room for 4096; write clients=60600"},
		{"max_waiting 1000 room=30000", 8192,
			"max_sessions 300 and max_waiting room=30000 are 30300 sessions, " +
				"but clients=8192 has room for 4096; write clients=60600"},
		{"max_waiting 30000 room=9", 8192,
			"max_sessions 300 and max_waiting 30000 are 30300 sessions, " +
				"but clients=8192 has room for 4096; write clients=60600"},
		{"max_sessions 3097\nmax_waiting 1000", 1024,
			"max_sessions 3097 and max_waiting 1000 are 4097 sessions, " +
				"but clients=1024 has room for 4096; write clients=8194"},
		{"max_sessions 3096\nmax_waiting 1000", 1024, ""},
		{"max_sessions 100000\nmax_waiting 1000000", 65536,
			"max_sessions 100000 and max_waiting 1000000 are 1100000 sessions, " +
				"but clients=65536 has room for 32768; write clients=2200000"},
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

// check says that this machine's own mail has to wait, unless a directive is about loopback.
func TestCheckNotesLoopback(t *testing.T) {
	const note = "note: allow: this machine's own mail comes from 127.0.0.1 and ::1, " +
		"and has to wait; write allow 127.0.0.0/8 ::1\n"
	for lines, want := range map[string]string{
		"": note, "allow 127.0.0.1": note, "allow ::1": note, "allow 192.0.2.0/24": note,
		"deny 127.0.0.1":      note,
		"allow 127.0.0.1 ::1": "", "allow 127.0.0.0/8 ::1": "", "deny 127.0.0.1 ::1": "",
		"allow 0.0.0.0/0 ::/0": "",
	} {
		p := inPlace(t, lines+"\nmax_waiting 1000")
		if _, said := p.says(0, "check"); said != want {
			t.Errorf("%q: %q; want %q", lines, said, want)
		}
	}
}

// check notes files by which others could change the MTA or the configuration. These are not
// mistakes: mail goes on, and so does a reload.
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

// check says what an mta line means that a shell would read differently.
func TestCheckNotesShellHabits(t *testing.T) {
	for _, tt := range []struct {
		mta  string
		code int
		want string // "" = nothing
	}{
		{"/bin/true | tee", 0, `note: CONF:1: mta: "|" would be an argument, ` +
			"since no shell reads this line; name a script instead\n"},
		{"/bin/true -bs && /bin/true", 0, `note: CONF:1: mta: "&&" would be`},
		{"/bin/true > /dev/null", 0, `note: CONF:1: mta: ">" would be`},
		{`/bin/true ";"`, 0, `note: CONF:1: mta: ";" would be`},
		{"/bin/true a|b -x;", 0, ""},
		{`"/bin/true -bs"`, ExitUsage,
			"CONF:1: mta: exec /bin/true -bs: no such file or directory: " +
				"the quotes make it one word; leave them out\n"},
		{`"/no/such/mta -bs"`, ExitUsage,
			"CONF:1: mta: exec /no/such/mta -bs: no such file or directory; write mta "},
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

// check says if no client is refused because of mode observe.
func TestCheckSaysItObserves(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"mode observe", ", mode observe: no client is refused\n"}, {"mode enforce", "networks\n"},
	} {
		p := inPlace(t, tt.line+"\n"+noNotes)
		if said, _ := p.says(0, "check"); !strings.Contains(said, tt.want) {
			t.Errorf("%s: %q; want %q", tt.line, said, tt.want)
		}
	}
}
