package guard

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
)

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
