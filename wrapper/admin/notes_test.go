package admin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
