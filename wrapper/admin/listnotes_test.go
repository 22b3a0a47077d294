package admin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// check says what lists, threshold and welcome cannot do together, and never shows a key.
func TestCheckNotesLists(t *testing.T) {
	const (
		only     = "L3: dnsbl: lists are only asked and logged; write dnsbl_threshold"
		high     = "dnsbl_threshold: no client is refused, since all weights above 0 make "
		low      = "dnsbl_welcome: no client is welcomed, since all weights below 0 make "
		praise   = " has a weight below 0 and no filter"
		readable = ": dnsbl: holds the key of a list, by as=, and mode 0644 lets others read it; " +
			"chmod go-r it"
	)
	const wl = "dnsbl wl.example=127.0.[0..255].[1..3]*-2\n"
	for _, tt := range []struct {
		lines string
		want  []string
	}{
		{"", nil},
		{"dnsbl a.example", []string{only}},
		{"dnsbl a.example\ndnsbl_threshold 1", nil},
		{"dnsbl a.example\ndnsbl_threshold 2", []string{"L4: " + high + "1; write that or less"}},
		{"dnsbl a.example b.example*2 a.example*-1\ndnsbl_threshold 3\n" + wl,
			[]string{"L3: dnsbl: a.example" + praise}},
		{"dnsbl a.example b.example*2\ndnsbl_threshold 4\n" + wl, []string{"L4: " + high + "3;"}},
		{wl + "dnsbl_welcome -2", nil},
		{wl + "dnsbl_welcome -3", []string{"L4: " + low + "-2; write that or more, but below 0"}},
		{"dnsbl a.example\ndnsbl_welcome -1", []string{"L4: " + low + "0;"}},
		{"dnsbl_threshold 3", []string{"L3: dnsbl_threshold: there is no list that gives a score"}},
		{"dnsbl_welcome -3", []string{"L3: dnsbl_welcome: there is no list that gives a score"}},
		{"dnsbl a.example\ndnsbl_threshold 1\ngreet_delay 0s",
			[]string{"L5: greet_delay: lists are not asked about clients that need not wait"}},
		{"dnsbl s3cretk3y.example*-1 as=a\ndnsbl_welcome -1",
			[]string{"L3: dnsbl: a" + praise, "L3" + readable}},
		{"dnsbl s3cretk3y.example as=a\ndnsbl b.example as=b\ndnsbl_threshold 1",
			[]string{"L3" + readable}},
	} {
		p := inPlace(t, noNotes+tt.lines)
		if err := os.Chmod(p.conf, 0o644); err != nil {
			t.Fatal(err)
		}
		_, said := p.says(0, "check", "-n")
		notes := strings.Split(strings.TrimSuffix(said, "\n"), "\n")
		if said == "" {
			notes = nil
		}
		ok := len(notes) == len(tt.want) && !strings.Contains(said, "s3cretk3y")
		for i := range min(len(notes), len(tt.want)) {
			// The lines of the test begin at line 5.
			place := strings.NewReplacer(
				p.conf+":5:", "L3:", p.conf+":6:", "L4:", p.conf+":7:", "L5:")
			ok = ok && strings.HasPrefix(place.Replace(notes[i]), "note: "+tt.want[i])
		}
		if !ok {
			t.Errorf("%q:\n%s\nwant\n%s", tt.lines, said, strings.Join(tt.want, "\n"))
		}
	}
}

// An included file with a key must be closed to others, too. One without need not be.
func TestCheckNotesReadableKeys(t *testing.T) {
	p := inPlace(t, noNotes+"include keys\ndnsbl_threshold 1")
	keys := filepath.Join(filepath.Dir(p.conf), "keys")
	if err := os.WriteFile(keys, []byte("# \ndnsbl s3cretk3y.example as=a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]string{
		0o600: "", 0o640: "mode 0640", 0o604: "mode 0604", 0o644: "mode 0644",
	} {
		if err := os.Chmod(keys, mode); err != nil {
			t.Fatal(err)
		}
		_, said := p.says(0, "check", "-n")
		if strings.HasPrefix(said, "note: "+keys+":2: ") != (want != "") ||
			!strings.Contains(said, want) || want == "" && said != "" {
			t.Errorf("mode %o: %q; want %q", mode, said, want)
		}
	}
}
