package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/maillog"
)

const (
	pass  = `PASS client=[192.0.2.1]:5 server=[198.51.100.5]:25 wait=6s/6s`
	clock = "Dec  1 15:47:17"
)

// Only what syslogd and sendwrap have written counts; a client may choose any text in between.
func TestInjection(t *testing.T) {
	quoted := maillog.NewLine("PREGREET").Data("data",
		[]byte("\" server=[::]:25\nDec  1 15:47:17 mx sendwrap[1]: "+pass)).String()
	cut := `PREGREET client=[192.0.2.9]:5 server=[198.51.100.5]:25 data="EHLO \`
	for _, tt := range []struct {
		line string
		want found
		word string
	}{
		{clock + " mx sendwrap[12]: " + pass, ours, "PASS"},
		{clock + " mx sendwrap[12]: " + pass + ` future="x y" key_of_2030=7`, ours, "PASS"},
		{clock + " mx sendwrap[12]: " + quoted, ours, "PREGREET"},
		{clock + " mx sendwrap[12]: " + cut, ours, "PREGREET"},
		{clock + " mx sendwrap[12]: the ledger is full", ours, ""},
		{clock + " mx sendwrap[12]: DNS is silent", ours, ""},
		{clock + " mx sendwrap[12]: ", ours, ""},
		{clock + " mx sendwrap[12]: FUTURE key=value", ours, "FUTURE"},
		{"2026-12-01T15:47:17.123456+01:00 mx sendwrap[12]: " + pass, ours, "PASS"},
		{"2026-12-01T15:47:17+0100 mx sendwrap[12]: " + pass, ours, "PASS"},
		{"<22>" + clock + " mx sendwrap[12]: " + pass, ours, "PASS"},
		{"<22>1 2026-12-01T15:47:17Z mx sendwrap 12 - - " + pass, ours, "PASS"},
		{"<22>1 2026-12-01T15:47:17Z mx sendwrap 12 - - \ufeff" + pass, ours, "PASS"},
		{clock + " mx mail.info sendwrap[12]: " + pass, ours, "PASS"},
		{`{"SYSLOG_IDENTIFIER":"sendwrap","SYSLOG_PID":"1","__REALTIME_TIMESTAMP":"1",` +
			`"MESSAGE":"` + pass + `"}`, ours, "PASS"},

		{clock + " mx sm-mta[12]: helo=sendwrap[1]: " + pass, foreign, ""},
		{clock + " mx sm-mta[12]: sendwrap[1]: " + pass, foreign, ""},
		{clock + " mx logger: sendwrap[1]: " + pass, foreign, ""},
		{clock + " mx a.b sm-mta[2]: sendwrap[1]: " + pass, foreign, ""},
		{clock + " mx sendwrap: " + pass, foreign, ""},
		{clock + " mx sendwrap[x]: " + pass, foreign, ""},
		{clock + " mx sendwrap-nft[1]: " + pass, foreign, ""},
		{clock + " mx sendwrap[1] " + pass, foreign, ""},
		{"<22>1 2026-12-01T15:47:17Z mx postfix/smtpd 12 - - sendwrap[1]: " + pass, foreign, ""},
		{`<22>1 2026-12-01T15:47:17Z mx smtpd 12 - [a@1 b="] sendwrap 12 - - ` + pass + `"] x`,
			foreign, ""},
		{`{"SYSLOG_IDENTIFIER":"sm-mta","SYSLOG_PID":"1","__REALTIME_TIMESTAMP":"1",` +
			`"MESSAGE":"\",\"SYSLOG_IDENTIFIER\":\"sendwrap\" ` + pass + `"}`, foreign, ""},
		{`{"SYSLOG_IDENTIFIER":"sendwrap","SYSLOG_PID":"1","__REALTIME_TIMESTAMP":"1",` +
			`"_TRANSPORT":"stdout","MESSAGE":"` + pass + `"}`, foreign, ""},

		// A cut line and the next one behind it.
		{clock + " mx sendwrap[12]: PASS client=[192.0.2.1]:" + clock + " mx sendwrap[13]: " +
			pass, garbled, ""},
		{clock + " mx sendwrap[12]: " + pass + " " + pass, garbled, ""},
		{clock + " mx sendwrap[12]: " + pass + " client=[192.0.2.2]:5", garbled, ""},
		{clock + " mx sendwrap[12]: " + cut + `" ` + clock + " mx sendwrap[13]: " + quoted,
			garbled, ""},
		{clock + ` mx sendwrap[12]: PASS client="x" y`, garbled, ""},
		{clock + ` mx sendwrap[12]: PASS client=a"b`, garbled, ""},
		{clock + " mx sendwrap[12]: PASS the client", garbled, ""},

		{"sendwrap[12]: " + pass, unreadable, ""},
		{"Foo  1 15:47:17 mx sendwrap[12]: " + pass, unreadable, ""},
		{"Dec 41 15:47:17 mx sendwrap[12]: " + pass, unreadable, ""},
		{"2026-12-01T25:47:17Z mx sendwrap[12]: " + pass, unreadable, ""},
		{"<22" + clock, unreadable, ""},
		{"<999>" + clock + " mx sendwrap[12]: " + pass, unreadable, ""},
		{`{"SYSLOG_IDENTIFIER":"sendwrap","MESSAGE":"` + pass, unreadable, ""},
		{"\x00\x01\x02", unreadable, ""},
	} {
		p := parser{years: years{zone: time.UTC, changed: time.Now()}}
		if got := p.parse(tt.line); got != tt.want || got == ours && p.line.Word != tt.word {
			t.Errorf("%q is %d, %q; want %d, %q", tt.line, got, p.line.Word, tt.want, tt.word)
		}
	}
}

// A client's text changes no count, whatever it is.
func TestClientTextCountsNothing(t *testing.T) {
	for _, text := range []string{
		`x`, `" server=[198.51.100.5]:25 kind=other`, "\n" + clock + " mx sendwrap[1]: " + pass,
		`\" left=1h`, `\`, `\\`, "\x00\xff", strings.Repeat(`"`, 200),
	} {
		line := maillog.NewLine("PREGREET").Str("client", "[192.0.2.9]:5").
			Str("server", "[198.51.100.5]:25").Str("kind", "ehlo").Data("data", []byte(text))
		r := readText(t, clock+" mx sendwrap[1]: "+line.String()+"\n")
		if r.Lines != 1 || r.Connections != 1 || r.Refused != 1 || r.Blocks.New != 0 ||
			len(r.Kinds) != 1 || r.Kinds[0].Key != "ehlo" || len(r.Newer) != 0 ||
			r.Unreadable.Garbled != 0 {
			t.Errorf("%q: %+v", text, r)
		}
	}
}

func readText(t *testing.T, text string) *Report {
	t.Helper()
	now := time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
	r, err := Read(Options{Logs: []string{"-"}, Stdin: strings.NewReader(text), Now: now,
		Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A line of a newer version is counted, and what is new in it, too.
func TestNewer(t *testing.T) {
	r := readText(t, clock+" mx sendwrap[1]: "+pass+" colour=red data=\"x\"\n"+
		clock+" mx sendwrap[1]: QUARANTINE client=[192.0.2.1]:5 reason=x\n")
	if r.Lines != 2 || r.Served != 1 || fmt.Sprint(r.Newer) !=
		"[{QUARANTINE 1 0 } {colour= 1 0 }]" {
		t.Errorf("%+v", r)
	}
}

// What cannot be read is counted, and the rest is read.
func TestBadInput(t *testing.T) {
	good := clock + " mx sendwrap[1]: " + pass + "\n"
	long := strings.Repeat("x", 3*maxLine)
	r := readText(t, good+"\x7fELF\x02\x01\x00binary sendwrap\n"+good+long+"\n"+good+
		clock+" mx sendwrap[1]: PASS client=[192.0.2.1\n"+clock+" mx sm-mta[1]: other\n"+
		good+clock+" mx sendwrap[1]: PASS cli")
	if u := r.Unreadable; r.Served != 4 || u.Lines != 1 || u.TooLong != 1 || u.Garbled != 2 {
		t.Errorf("%d served, %+v", r.Served, u)
	}
	text := textOf(t, r)
	if strings.Count(text, "not read: ") != 1 {
		t.Errorf("not said once:\n%s", text)
	}

	if r := readText(t, ""); r.Lines != 0 || !strings.Contains(textOf(t, r), "no line of it") {
		t.Errorf("an empty log: %s", textOf(t, r))
	}
	dir := t.TempDir()
	log := put(t, filepath.Join(dir, "good"), []byte(good), weekEnd)
	gone := filepath.Join(dir, "gone")
	packed := packed(t, []byte(strings.Repeat(good, 5000)))
	for name, bytes := range packed {
		put(t, filepath.Join(dir, name), bytes[:len(bytes)*9/10], weekEnd)
		r := readLogs(t, log, filepath.Join(dir, name), dir, gone)
		if u := r.Unreadable.Files; len(u) != 3 || r.Served < 1 || r.Served > 5001 {
			t.Errorf("%s, cut: %d served, %v", name, r.Served, u)
		}
	}
	for _, logs := range [][]string{{dir}, {gone}, {gone, dir}} {
		if _, err := Read(Options{Logs: logs, Now: weekEnd, Zone: time.UTC}); err == nil {
			t.Errorf("no error for %q alone", logs)
		}
	}
	_, err := Read(Options{MailLog: gone, Journalctl: gone, Now: weekEnd, Zone: time.UTC})
	if err == nil || !strings.Contains(err.Error(), gone) {
		t.Errorf("no log at all: %v", err)
	}
}

// endless is a line of that many bytes.
type endless struct{ left int64 }

func (e *endless) Read(b []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), e.left))
	for i := range b[:n] {
		b[i] = 'x'
	}
	e.left -= int64(n)
	return n, nil
}

// A line of 1 GB takes no more memory than any other.
func TestHugeLine(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	from := io.MultiReader(&endless{1 << 30},
		strings.NewReader("\n"+clock+" mx sendwrap[1]: "+pass))
	r, err := Read(Options{Logs: []string{"-"}, Stdin: from, Now: weekEnd, Zone: time.UTC})
	if err != nil || r.Unreadable.TooLong != 1 || r.Served != 1 {
		t.Fatal(err, r)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("%d bytes were allocated", got)
	}
}

func FuzzLine(f *testing.F) {
	for _, line := range []string{
		clock + " mx sendwrap[12]: " + pass, "<22>1 2026-12-01T15:47:17Z mx sendwrap 12 - - x",
		clock + ` mx sendwrap[1]: PREGREET client=[::1]:5 server=[::1]:25 data="\"" x=1`,
		`{"SYSLOG_IDENTIFIER":"sendwrap","SYSLOG_PID":"1","__REALTIME_TIMESTAMP":"1",` +
			`"MESSAGE":"x"}`,
		"{", "<", "\x1f\x8b", "2026-12-01T15:47:17Z",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		p := parser{years: years{zone: time.UTC, changed: weekEnd}}
		if p.parse(string(line)) == ours {
			for _, pair := range p.line.pairs {
				if pair.key == "" || !pair.quoted && strings.ContainsAny(pair.value, " \"") {
					t.Errorf("%q: %+v", line, pair)
				}
			}
			if !bytes.Contains(line, []byte("sendwrap")) && line[0] != '{' {
				t.Errorf("%q is taken for ours", line)
			}
		}
		r, err := Read(Options{Logs: []string{"-"}, Stdin: bytes.NewReader(line), Now: weekEnd,
			Zone: time.UTC})
		if err != nil {
			return // packed, and damaged
		}
		if err := r.Text(io.Discard); err != nil {
			t.Error(err)
		}
		if err := r.HTML(io.Discard); err != nil {
			t.Error(err)
		}
	})
}

// Logs of a million lines, of a million clients: within what the manual promises of memory.
func TestBounded(t *testing.T) {
	log := filepath.Join(t.TempDir(), "mail.log")
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	const clients = 300_000
	for i := range clients {
		word := "DENIED"
		if i%2 == 0 {
			word = "PASS"
		}
		fmt.Fprintf(f, "%s mx sendwrap[1]: %s client=[10.%d.%d.%d]:5 server=[198.51.100.5]:25\n",
			clock, word, i>>16, i>>8&255, i&255)
	}
	f.Close()
	c := &counter{r: &Report{Until: time.Now().AddDate(1, 0, 0), Zone: time.UTC}}
	s, _, err := openLog(log)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.read(&s, time.UTC, &progress{}); err != nil {
		t.Fatal(err)
	}
	if n, m := len(c.clients.servedOnes), len(c.clients.refusedOnes); n != maxClients ||
		m != maxClients || c.clients.forgotten != clients-2*maxClients {
		t.Errorf("%d and %d clients are kept, %d forgotten", n, m, c.clients.forgotten)
	}
	if n := len(c.addresses.cells); n != maxKeys || len(c.addresses.index) != maxKeys {
		t.Errorf("%d addresses are kept", n)
	}
	if c.finish(); c.r.Connections != clients {
		t.Errorf("%d connections", c.r.Connections)
	}
}
