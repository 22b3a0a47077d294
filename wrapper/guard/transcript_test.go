package guard

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
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

// All transcripts together take no more than max; the oldest are deleted first, and other files are
// neither counted nor deleted.
func TestTranscriptsBounded(t *testing.T) {
	const most = 64 << 10
	dir := t.TempDir()
	p := stand(t, rules+"transcript "+dir+" max=64k\n")
	others := []string{
		"notes", "0old.transcript", "20010101.transcript", "notes.transcript", ".transcript",
		"20010101T000000.000Z-x.transcript.gz",
		"20010101T000000.000Z-192.0.2.1-1.transcripts",
		"19991231T235959.999-192.0.2.1-1.transcript",
	}
	for _, name := range others {
		mustDo(t, os.WriteFile(dir+"/"+name, make([]byte, most), 0o600))
	}
	mustDo(t, os.Mkdir(dir+"/20010101T000000.000Z-dir.transcript", 0o700),
		os.Symlink("/etc/passwd", dir+"/20010101T000000.000Z-link.transcript"))
	// ours, and the oldest
	mustDo(t, os.WriteFile(dir+"/20010101T000000.000Z-192.0.2.1-1.transcript", nil, 0o600))
	for n := range 12 {
		m := p.client(fmt.Sprintf("192.0.2.%d", n))
		m.play("mail", "c")
		for range 80 { // 10 kB
			m.good(strings.Repeat("x", 100))
		}
		m.play("bad bad bad", "c c 421")
		m.Close()
		lab.Eventually(t, "it has left", func() bool { return len(p.allSessions()) == 0 })
	}
	var sum int64
	var ours []string
	for _, name := range transcripts(t, dir) {
		st, err := os.Lstat(name)
		if err == nil && st.Mode().IsRegular() && isTranscript(filepath.Base(name)) {
			sum += st.Size()
			ours = append(ours, name)
		}
	}
	if sum > most || sum < most*3/4 {
		t.Errorf("%d bytes in %d files", sum, len(ours))
	}
	for i, name := range ours { // Glob sorts
		if !strings.Contains(name, fmt.Sprintf("-192.0.2.%d-", 12-len(ours)+i)) {
			t.Errorf("the %d. of %d is %s", i, len(ours), name)
		}
	}
	for _, name := range append(others, "20010101T000000.000Z-dir.transcript",
		"20010101T000000.000Z-link.transcript") {
		if _, err := os.Lstat(dir + "/" + name); err != nil {
			t.Error(err)
		}
	}
}

// Sixteen sessions that end at once, twice as many as there is room for.
func TestTranscriptsAtOnce(t *testing.T) {
	dir := t.TempDir()
	p := stand(t, rules+"transcript "+dir+" max=64k\n")
	var all []*mta
	for n := range 16 {
		m := p.client(fmt.Sprintf("192.0.2.%d", n))
		m.play("mail", "c")
		for range 40 { // so that two are more than a page, and all are more than there is room for
			m.good(strings.Repeat("x", 100))
		}
		m.play("bad bad bad", "c c 421")
		all = append(all, m)
	}
	p.transcriptMu.Lock()
	for _, m := range all {
		m.Close()
	}
	lab.Eventually(t, "all wait", func() bool { return inside("(*transcript).save") == len(all) })
	if n := len(transcripts(t, dir)); n > 0 {
		t.Errorf("%d transcripts while one is written", n)
	}
	p.transcriptMu.Unlock()
	lab.Eventually(t, "all have left", func() bool { return goroutines() == 0 })
	if n := len(transcripts(t, dir)); n != 8 {
		t.Errorf("%d transcripts of two pages each", n)
	}
	p.client("192.0.2.21").play("mail good", "c c")
}

// In a directory where others can read or write, nothing is written, and a line says why; mail
// flows.
func TestTranscriptDirectory(t *testing.T) {
	mode := func(mode os.FileMode) func(string) error {
		return func(dir string) error {
			os.Mkdir(dir, 0o700)
			return os.Chmod(dir, mode)
		}
	}
	for _, c := range []struct {
		name string
		make func(dir string) error
		line string
	}{
		{"a symbolic link", func(dir string) error { return os.Symlink(t.TempDir(), dir) },
			"/kept: "},
		{"a file", func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
			"not a directory"},
		{"others may write", mode(0o702), "mode 0702 lets others replace what is in it"},
		{"its group may write", mode(0o720), "mode 0720 lets others replace what is in it"},
		{"as /tmp", mode(os.ModeSticky | 0o777),
			"mode 01777 lets others replace what is in it"},
		{"another's", func(dir string) error {
			os.Mkdir(dir, 0o700)
			return os.Chown(dir, 12345, 12345)
		}, "belongs to uid 12345; chown it to root"},
		{"two steps missing", func(dir string) error { return nil }, "no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir() + "/kept"
			mustDo(t, c.make(dir))
			if c.name == "two steps missing" {
				dir += "/deep"
			}
			if err := CheckTranscripts(dir); err == nil {
				t.Error("CheckTranscripts finds nothing wrong")
			}
			p := stand(t, rules+"transcript "+dir+"\n")
			m := p.client("192.0.2.1")
			m.play("mail bad bad bad", "c c c 421")
			m.Close()
			p.book.await(t, "mail.warning", "transcript: ", c.line)
			if names := transcripts(t, dir); len(names) > 0 {
				t.Errorf("%q", names)
			}
		})
	}
}

// Small transcripts count with their size on disk: a large number of them would delay sessions that
// end.
func TestManyTranscripts(t *testing.T) {
	dir := t.TempDir()
	mustDo(t, os.Chmod(dir, 0o700))
	const files, most = 500, 64 << 10 // of 200 kB
	for n := range files {
		began := time.Unix(int64(n), 0).UTC().Format(transcriptTime)
		name := dir + "/" + began + "-192.0.2.1-1" + transcriptSuffix
		mustDo(t, os.WriteFile(name, make([]byte, 400), 0o600))
	}
	g := build(t, rules)
	s := &session{guard: g.guard, began: time.Now(), config: &config.Config{},
		client: netip.MustParseAddrPort("192.0.2.1:1")}
	k := &transcript{session: s, to: policy.Transcript{Dir: dir, Max: most}}
	mustDo(t, k.write())
	if n := len(transcripts(t, dir)); n != most/4096 {
		t.Errorf("%d files are left of %d", n, files)
	}
}
