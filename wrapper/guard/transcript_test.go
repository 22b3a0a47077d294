package guard

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// transcripts are the names of the transcripts in dir.
func transcripts(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(dir + "/*" + transcriptSuffix)
	mustDo(t, err)
	return names
}

// only waits for the one transcript in dir and reads it.
func only(t testing.TB, dir string) string {
	t.Helper()
	lab.Eventually(t, "a transcript", func() bool { return len(transcripts(t, dir)) == 1 })
	name := transcripts(t, dir)[0]
	st, err := os.Stat(name)
	mustDo(t, err)
	if st.Mode() != 0o600 {
		t.Errorf("%s: mode %v", name, st.Mode())
	}
	text, err := os.ReadFile(name)
	mustDo(t, err)
	return string(text)
}

// A transcript has all commands of the client, before and after it caused its block, with times,
// and no text of its message.
func TestTranscript(t *testing.T) {
	dir := t.TempDir() + "/kept" // made by the guard
	p := stand(t, rules+"transcript "+dir+"\n")
	m := p.client("2001:db8::1")
	m.play("mail good bad busy rset mail", "c c c c c")
	time.Sleep(100 * time.Millisecond)
	m.play("bad bad good mail", "c 421 421 421")
	p.client("192.0.2.1").play("mail bad bad good end", "c c c c c") // has earned nothing
	if names := transcripts(t, dir); len(names) > 0 {
		t.Errorf("%q while the session lasts", names)
	}
	m.send("Q")
	text := only(t, dir)
	want := regexp.MustCompile(`^client  \[2001:db8::1\]:40000
began   20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ
mta     ` + fmt.Sprint(os.Getpid()) + `
seconds  the client's command  the MTA's rejection, if any
 +(\d+\.\d{3})  HELO  "client\.example"
 +(\d+\.\d{3})  MAIL  "sender@example\.org"
 +(\d+\.\d{3})  RCPT  "good1"
 +(\d+\.\d{3})  RCPT  "bad2"  "5\.1\.1 550 5\.1\.1 User unknown"
 +(\d+\.\d{3})  RCPT  "busy3"  "4\.3\.0 451 4\.3\.0 try again"
 +(\d+\.\d{3})  RSET
 +(\d+\.\d{3})  MAIL  "sender@example\.org"
 +(\d+\.\d{3})  RCPT  "bad0"  "5\.1\.1 550 5\.1\.1 User unknown"
 +(\d+\.\d{3})  RCPT  "bad1"  "5\.1\.1 550 5\.1\.1 User unknown"
 +(\d+\.\d{3})  BADRCPTS
 +(\d+\.\d{3})  RCPT  "good2"
 +(\d+\.\d{3})  MAIL  "sender@example\.org"
$`)
	at := want.FindStringSubmatch(text)
	if at == nil {
		t.Fatalf("%s\nwant %s", text, want)
	}
	seconds := make([]float64, len(at))
	for i, text := range at[1:] {
		seconds[i+1], _ = strconv.ParseFloat(text, 64)
	}
	if !slices.IsSorted(seconds) || seconds[8]-seconds[7] < 0.099 {
		t.Errorf("%s\nwant a tenth of a second before the eighth line, and none backwards", text)
	}
	name := regexp.MustCompile(`/20\d{6}T\d{6}\.\d{3}Z-2001:db8::1-40000\.transcript$`)
	if got := transcripts(t, dir)[0]; !name.MatchString(got) {
		t.Error(got)
	}
	st, err := os.Stat(dir)
	mustDo(t, err)
	if st.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", st.Mode())
	}
}

// Only a session that causes a block has a transcript: not one that another's block ends, and none
// if blocks are off.
func TestNoTranscript(t *testing.T) {
	dir := t.TempDir()
	p := stand(t, rules+"count_by 24 64\ntranscript "+dir+"\n")
	m, other := p.client("192.0.2.1"), p.client("192.0.2.2")
	m.play("mail bad bad bad", "c c c 421")
	other.play("mail bad bad bad", "421 421 421 421")
	for _, m := range []*mta{m, other} {
		m.Close()
	}
	lab.Eventually(t, "both have left", func() bool { return len(p.allSessions()) == 0 })
	if !strings.Contains(only(t, dir), "192.0.2.1") {
		t.Error(only(t, dir))
	}

	dir = t.TempDir()
	p = stand(t, rules+"max_resets 1\nblock off\ntranscript "+dir+"\n")
	for _, commands := range []string{"mail bad bad bad", "mail rset mail rset mail"} {
		m := p.client("192.0.2.1")
		m.play(commands, strings.Repeat("c ", 3-strings.Count(commands, "rset")/2)+"421")
		m.Close()
	}
	lab.Eventually(t, "both have left", func() bool { return len(p.allSessions()) == 0 })
	if names := transcripts(t, dir); len(names) != 0 {
		t.Error(names)
	}
}

// A client's text can forge no line, hide none, and control no terminal; long text is cut.
func TestHostileTranscript(t *testing.T) {
	dir := t.TempDir()
	p := stand(t, rules+"transcript "+dir+"\n")
	m := p.mta()
	m.connect("192.0.2.1", 1)
	hostile := "x\"\n    0.000  QUIT\r\n\x1b[2J\x7f\xff\u2028\u00e9" + `\"`
	m.send("H" + hostile + "\x00")
	m.want("c", m.ask("M"+hostile+strings.Repeat("y", 10000)+"\x00"))
	for range 3 {
		m.send(macrosOf('R', "{rcpt_mailer}", "error", "{rcpt_host}", "5.1.1",
			"{rcpt_addr}", hostile+strings.Repeat("z", 10000)))
		m.ask("R" + hostile + "\x00")
	}
	m.Close()
	text := only(t, dir)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 4+1+1+3+1 {
		t.Errorf("%d lines:\n%s", len(lines), text)
	}
	for _, line := range lines {
		if len(line) > 4*2*longestText+100 {
			t.Errorf("a line of %d bytes", len(line))
		}
		for _, b := range []byte(line) {
			if b < ' ' || b > '~' {
				t.Fatalf("byte %#x in %q", b, line)
			}
		}
	}
	if !strings.Contains(lines[4], `"x\"\n    0.000  QUIT\r\n\x1b[2J\x7f\xff\u2028\u00e9\\\""`) {
		t.Error(lines[4])
	}
}

// The transcript of a session is bounded, however long it lasts.
func TestLongTranscript(t *testing.T) {
	dir := t.TempDir()
	p := stand(t, "bad_rcpt_delay 0s\nbad_rcpts 5\ntranscript "+dir+"\n")
	m := p.client("192.0.2.1")
	m.play("mail", "c")
	for range 5000 {
		m.good(strings.Repeat("x", 100))
	}
	m.play("bad bad bad bad bad", "c c c c 421")
	kept := p.session("192.0.2.1").transcript
	m.Close()
	text := only(t, dir)
	if len(text) > 64<<10 || len(text) < longestTranscript ||
		cap(kept.text) > 2*longestTranscript ||
		!strings.Contains(text, "\n(and so on)\n") || !strings.HasSuffix(text, "BADRCPTS\n") {
		t.Errorf("%d bytes, %d in memory; ends %q", len(text), cap(kept.text), text[len(text)-100:])
	}
}
