package loglines

import (
	"bytes"
	"io"
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
		want class
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
		{"@400000006a2e1f3a2ef02e94 sendwrap[12]: " + pass, ours, "PASS"},
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

		// Somebody else has written it: journald lets everything through.
		{clock + " mx sendwrap[12]: " + pass + " x=\x1b[2J", garbled, ""},
		{clock + " mx sendwrap[12]: the ledger \x1b]0;is\a full", garbled, ""},
		{clock + " mx sendwrap[12]: the ledger \u009b2J", garbled, ""},
		{`{"SYSLOG_IDENTIFIER":"sendwrap","SYSLOG_PID":"1","__REALTIME_TIMESTAMP":"1",` +
			`"MESSAGE":"BLOCK network=192.0.2.0/24 for=1h reason=\u001b[2J"}`, garbled, ""},

		{"@400000006a2e1f3a2ef02e94 mx sendwrap[12]: " + pass, foreign, ""},
		{"@400000006a2e1f3a2ef02e94 helo=sendwrap[12]: " + pass, foreign, ""},
		{"@400000006a2e1f3a2ef02e9 sendwrap[12]: " + pass, unreadable, ""},
		{"@400000006a2e1f3a2ef02eg4 sendwrap[12]: " + pass, unreadable, ""},
		{"@400000006a2e1f3affffffff sendwrap[12]: " + pass, unreadable, ""},
		{"@ffffffff6a2e1f3a2ef02e94 sendwrap[12]: " + pass, unreadable, ""},
		{"@0000000000000000000000000 sendwrap[12]: " + pass, unreadable, ""},
		{"@", unreadable, ""},
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
	o, lines := Sources{Logs: []string{"-"}, Stdin: from, Zone: time.UTC}, 0
	unread, err := o.Read(time.Time{}, func(*Line) { lines++ })
	if err != nil || unread.TooLong != 1 || lines != 1 {
		t.Fatal(err, unread, lines)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("%d bytes were allocated", got)
	}
}

// The inputs are in testdata/fuzz.
func FuzzLine(f *testing.F) {
	f.Fuzz(func(t *testing.T, line []byte) {
		p := parser{years: years{zone: time.UTC, changed: time.Now()}}
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
	})
}
