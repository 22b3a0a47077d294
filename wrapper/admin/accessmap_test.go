package admin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// accessMap writes an access map beside the configuration, which must have a line about it.
func (p *place) accessMap(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(filepath.Dir(p.conf), "map")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What check ADDRESS prints fits into 100 columns, and the columns of its tables are straight.
func TestCheckIsAligned(t *testing.T) {
	p := inPlace(t, noNotes+"access map\n"+
		"wide 24 48 client_conns=200 client_rate=1000/1h bad_rcpts_total=100/1h strikes=8\n"+
		"wide 16 32 client_conns=400 client_rate=2000/1h bad_rcpts_total=200/1h\n")
	m := p.accessMap(t, "Connect:192.0.2.7 OK\nClientRate: 9\nClientConn:192.0.2 10\n")
	out, _ := p.says(0, "check", "-n", "192.0.2.7")
	before, after, found := strings.Cut(out, "\n"+m+", ")
	if !found || !strings.Contains(before, "; of 192.0.2.0/24 0 of 8;\n         ") {
		t.Fatal(out)
	}
	lineAt := map[int]bool{}
	for line := range strings.Lines(before + "\n" + after) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) > 100 && !strings.Contains(line, m) || strings.HasSuffix(line, " ") {
			t.Errorf("%q", line)
		}
		if i := strings.LastIndex(line, "  line "); i >= 0 {
			lineAt[i] = true
		}
	}
	if len(lineAt) != 1 {
		t.Error(out)
	}
}

// check ADDRESS says which line of the access map decides, and which lines have the limits, under
// which keys. What sendwrap.conf says comes first. With -n it asks for no name, and says so.
func TestCheckAccessMap(t *testing.T) {
	n := lab.NewNameserver(t, "8.2.0.192.in-addr.arpa. 300 IN PTR Mail.Good.Example.",
		"mail.good.example. 300 IN A 192.0.2.8",
		"6.2.0.192.in-addr.arpa. 300 IN PTR a.good.example.", "a.good.example. 300 IN A 192.0.2.6",
		"6.2.0.192.in-addr.arpa. 300 IN PTR b.bad.example.", "b.bad.example. 300 IN A 192.0.2.6",
		"6.2.0.192.in-addr.arpa. 300 IN PTR c.slow.example.",
		"c.slow.example. 300 IN A 192.0.2.6")
	p := inPlace(t, fmt.Sprintf("%sresolver %v\naccess map\nallow 192.0.2.9\n", noNotes, n.Addr))
	m := p.accessMap(t, "# comment\nConnect:192.0.2\tERROR:5.7.1:550 go away\ngood.example RELAY\n"+
		"GreetPause:good.example 2000\nClientRate: 9\nClientConn:192.0.2 0\n198.51.100.1 REJECT\n"+
		"bad.example REJECT\nGreetPause:slow.example 9000\n")
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"198.51.100.1"}, []string{
			"> 3 access map 198.51.100.1 (" + m + ":7) says REJECT 4 ", m + ", without a name ",
			" Connect REJECT 198.51.100.1 line 7 GreetPause none ClientRate 9 in 1m ",
			" verdict: DENIED "}},
		{[]string{"192.0.2.7"}, []string{
			"> 3 access map Connect:192.0.2 (" + m + `:2) says "550 5.7.1 go away" 4 `,
			" ClientRate 9 in 1m ClientRate: line 5 ",
			" ClientConn 0, no limit ClientConn:192.0.2 line 6 ",
			" verdict: DENIED "}},
		{[]string{"192.0.2.8"}, []string{
			" 3 access map good.example (" + m + ":3) lets it in 4 ", m + ", as mail.good.example ",
			" Connect RELAY: let in; sendmail relays for it good.example line 3 ",
			" GreetPause 2000 ms GreetPause:good.example line 4 ", " verdict: PASS after 2s "}},
		{[]string{"192.0.2.6"}, []string{
			"> 3 access map bad.example (" + m + ":8) says REJECT 4 ",
			m + ", as b.bad.example, a.good.example, c.slow.example ",
			" Connect REJECT bad.example line 8 GreetPause 2000 ms GreetPause:good.example line 4 ",
			" verdict: DENIED "}},
		{[]string{"-n", "192.0.2.8"}, []string{
			`says "550 5.7.1 go away"; its name comes first, and is not known`,
			m + ", by its address ", " verdict: DENIED "}},
		{[]string{"192.0.2.9"}, []string{
			"> 2 allow network 192.0.2.9/32 ", `says "550 5.7.1 go away", but ` + p.conf + ":",
			" verdict: ALLOWED "}},
		{[]string{"203.0.113.1"}, []string{" 3 access map no matching key 4 ",
			" Connect none GreetPause none ", " verdict: PASS after 6s "}},
	} {
		out, _ := p.says(0, append([]string{"check"}, tt.args...)...)
		out = strings.Join(strings.Fields(out), " ")
		for _, want := range tt.want {
			if !strings.Contains(out+" ", want) {
				t.Errorf("%v:\n%s\nwant %q", tt.args, out, want)
			}
		}
	}
}

// check counts the keys, and has a note for what sendmail never sees, or for a database that is
// older; only what is wrong is an error.
func TestCheckAccessMapNotes(t *testing.T) {
	p := inPlace(t, noNotes+"access map\n")
	m := p.accessMap(t, "Connect:192.0.2.0/24 REJECT\nConect:192.0.2.1 OK\nConnect:10 OK\n")
	old := time.Now().Add(-time.Hour)
	err := errors.Join(os.WriteFile(m+".db", nil, 0o600), os.Chtimes(m+".db", old, old))
	if err != nil {
		t.Fatal(err)
	}
	out, notes := p.says(0, "check")
	want := "ok: " + p.conf + ", 2 networks, 2 keys of " + m + "\n"
	if !strings.Contains(out, want) {
		t.Errorf("%q; want %q", out, want)
	}
	for _, want := range []string{"note: " + m + ": is newer than " + m + ".db",
		"note: " + m + ":1: ", "note: " + m + ":2: "} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q; want %q", notes, want)
		}
	}
	if out, _ := p.says(0, "compile"); !strings.Contains(out, ", 2 keys of "+m+", ") {
		t.Errorf("%q", out)
	}
	p.accessMap(t, "Connect:10 OK\n\x00")
	if _, mistakes := p.says(100, "check"); !strings.Contains(mistakes, m+":2: NUL byte") {
		t.Errorf("%q", mistakes)
	}
	if err := os.Remove(m); err != nil {
		t.Fatal(err)
	}
	if _, mistakes := p.says(100, "check"); !strings.Contains(mistakes, ": access: "+m) {
		t.Errorf("%q", mistakes)
	}
}
