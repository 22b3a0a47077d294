package access

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/tests/lab"
)

// TestDatabaseIsNoText: nothing of a file holds that is no text. If makemap has made it, the note
// says so.
func TestDatabaseIsNoText(t *testing.T) {
	makemap := lab.NeedProgram(t, "makemap")
	for _, kind := range []string{"hash", "btree"} {
		name := filepath.Join(t.TempDir(), "access")
		cmd := exec.Command(makemap, kind, name)
		cmd.Stdin = strings.NewReader("Connect:192.0.2 REJECT\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		checkRefused(t, readFile(t, name+".db"), "{0 is a database, not the text from which "+
			"makemap made it name the text, or write it: makemap -u hash FILE.db >TEXT true}")
	}
	checkRefused(t, "Connect:10 OK\nConnect:11\x00 OK\n", "{2 NUL byte name a text file true}")
	checkRefused(t, "\x00", "{1 NUL byte name a text file true}")
	checkRefused(t, strings.Repeat("\x00", 16), "{1 NUL byte name a text file true}")
}

// checkRefused reads what is no text: nothing of it holds.
func checkRefused(t *testing.T, text, want string) {
	t.Helper()
	m := Read(text)
	if len(m.Mistakes) != 1 || fmt.Sprint(m.Mistakes[0]) != want || m.Notes != nil ||
		len(m.Entries()) > 0 {
		t.Errorf("%v %v %v; want %s", m.Mistakes, m.Notes, m.Entries(), want)
	}
}

// A byte order mark makes the first key another one, for sendmail too.
func TestByteOrderMark(t *testing.T) {
	text := "\ufeffConnect:192.0.2.1 REJECT\nConnect:192.0.2.2 REJECT\n"
	m := Read(text)
	if len(m.Entries()) != 1 || len(m.Notes) != 1 || m.Notes[0].Line != 1 ||
		!strings.HasPrefix(m.Notes[0].Msg, "begins with a byte order mark") {
		t.Errorf("%v %v", m.Notes, m.Entries())
	}
	asSendmail(t, text, []client{{addr: netip.MustParseAddr("192.0.2.1")},
		{addr: netip.MustParseAddr("192.0.2.2")}})
}

// TestLongLines: a line that makemap does not read is skipped, however long, and the next is read.
func TestLongLines(t *testing.T) {
	s := newSendmail(t, "")
	key := "Connect:10.0.0.1 550 "
	longest := key + strings.Repeat("a ", (maxLine-len(key))/2)
	longest += strings.Repeat("b", maxLine-len(longest))
	text := strings.Replace(longest, ".1 ", ".2 ", 1) + "c\n" + longest + "\n" +
		"Connect:10.0.0.3 550 " + strings.Repeat("x", 10<<20) + "\nConnect:10.0.0.4 REJECT\n"
	s.makemap(text)
	m := Read(text)
	if len(m.Entries()) != 2 || len(m.Notes) != 2 || m.Notes[0].Line != 1 ||
		m.Notes[1].Line != 3 || len(m.Entries()[0].Value.Reply) != rule.MaxReply {
		t.Errorf("%d entries, %v", len(m.Entries()), m.Notes)
	}
	dump := exec.Command("makemap", "-u", "hash", s.file("access"))
	out, err := dump.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range m.Entries() {
		if !strings.Contains(string(out), strings.ToLower(e.Key)) {
			t.Errorf("sendmail does not have %s", e.Key)
		}
	}
	if strings.Contains(string(out), "10.0.0.2") || strings.Contains(string(out), "10.0.0.3") {
		t.Error("sendmail has a line that is longer")
	}
}

// No client has an IPv4-mapped address, so its key is noted, with the one that is meant.
func TestMappedKeys(t *testing.T) {
	m := Read("Connect:IPv6:0:0:0:0:0:ffff:c000:201 REJECT\nConnect:IPv6:0:0:0:0:0:ffff REJECT\n")
	want := "[{1 \"Connect:IPv6:0:0:0:0:0:ffff:c000:201\" never matches " +
		"write Connect:192.0.2.1 false} " +
		"{2 \"Connect:IPv6:0:0:0:0:0:ffff\" never matches write a name or an address false}]"
	if got := fmt.Sprint(m.Notes); got != want || len(m.Entries()) > 0 {
		t.Errorf("%s, %v; want %s", got, m.Entries(), want)
	}
}

// TestManyMistakes: of a file that is wrong throughout, the notes are bounded.
func TestManyMistakes(t *testing.T) {
	m := Read(strings.Repeat("Connect:10.0.0.1/8 OK\nConnect:10. OK\n", maxNotes+7))
	for i, notes := range [][]Note{m.Mistakes, m.Notes} {
		want := Note{0, "7 more lines", "correct these first", i == 0}
		if len(notes) != maxNotes+1 || notes[maxNotes] != want {
			t.Errorf("%d notes, the last %v", len(notes), notes[len(notes)-1])
		}
	}
}

// TestCIDR: the longest network decides, however it is written; of two lines for one network that
// which sendmail sees, and with the tag.
func TestCIDR(t *testing.T) {
	m := Read(`192.0.2.0/24 REJECT
Connect:192.0.2.0/24 550 5.7.1 b
192.0.2 OK
Connect:192.0.2.128/25 550 5.7.1 c
Connect:192.0.2.200 SKIP
198.51.100.0/24 550 5.7.1 d
Connect:198.51.100.0/24 550 5.7.1 e
Connect:IPv6:2001:db8::/33 550 5.7.1 f
2001:db8::/34 550 5.7.1 g
2001:db8:8000::/33 REJECT
Connect:0.0.0.0/0 550 5.7.1 h
Connect:192.0.2.128/25 OK
ClientRate:192.0.2.128/25 7
GreetPause:[IPv6:2001:db8::]/32 5
`)
	for addr, want := range map[string]string{
		"192.0.2.1 ":   "Connect ok (3)",
		"192.0.2.129 ": "Connect 550 5.7.1 c (4), ClientRate 7 (13)",
		"192.0.2.200 ": "ClientRate 7 (13)", "198.51.100.1 ": "Connect 550 5.7.1 e (7)",
		"2001:db8:1::1 ": "Connect 550 5.7.1 g (9)", "2001:db8:4000::1 ": "Connect 550 5.7.1 f (8)",
		"2001:db8:8000::1 ": "Connect reject (10)", "203.0.113.1 ": "Connect 550 5.7.1 h (11)",
		"::ffff:192.0.2.1 ": "Connect ok (3)", "2001:db9::1 ": "",
	} {
		c := clientsOf(t, addr+" =")[0]
		if got := described(m.Look(c.addr)); got != want {
			t.Errorf("%s: %s; want %s", addr, got, want)
		}
	}
	if n := m.Notes[len(m.Notes)-2]; !strings.HasPrefix(n.Msg, "duplicate") || n.Line != 12 {
		t.Error(m.Notes)
	}
	if len(m.Mistakes) != 1 || m.Mistakes[0].Line != 14 {
		t.Error(m.Mistakes)
	}
}

// TestCheckDatabase: sendmail follows a database that is older than the text.
func TestCheckDatabase(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "access")
	now := time.Now()
	write := func(name string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what, want string) {
		t.Helper()
		got := ""
		if n, ok := CheckDatabase(path); ok {
			got = n.Msg + "; " + n.Hint
		}
		if got = strings.ReplaceAll(got, dir, ""); got != want {
			t.Errorf("%s: %s; want %s", what, got, want)
		}
	}
	expect("nothing", "")
	write(path, time.Minute)
	expect("no database", "")
	write(path+".db", time.Second)
	expect("newer", "")
	write(path+".db", time.Minute)
	expect("as old", "")
	write(path+".db", time.Hour)
	expect("older", "is newer than /access.db, which sendmail still follows; "+
		"makemap hash /access </access")
	write(path+".db", 0)
	write(path+".cdb", time.Hour)
	expect("older cdb", "is newer than /access.cdb, which sendmail still follows; "+
		"makemap cdb /access </access")
}
