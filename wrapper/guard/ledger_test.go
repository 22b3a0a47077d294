package guard

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// Without a ledger each session is counted by itself, and one line says why.
func TestNoLedger(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, path string)
		line  string
	}{
		{"a file that others may read", func(t *testing.T, path string) {
			mustDo(t, os.WriteFile(path, nil, 0o644), os.Chmod(path, 0o644))
		}, "lets others in"},
		{"a directory", func(t *testing.T, path string) { mustDo(t, os.Mkdir(path, 0o700)) },
			"is not a regular file"},
		{"of a later version", func(t *testing.T, path string) {
			l, _, err := ledger.Open(path, ledger.MinClients, ledger.ThisBoot())
			mustDo(t, err, l.Close())
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			mustDo(t, err)
			defer f.Close()
			// the version comes behind the magic
			_, err = f.WriteAt([]byte{0xff, 0xff}, int64(len("sendwrap")))
			mustDo(t, err)
		}, "is a ledger of version 65535"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir() + "/state"
			mustDo(t, os.Mkdir(dir, 0o700))
			c.spoil(t, dir+"/ledger")
			p := stand(t, "bad_rcpt_delay 0s\nledger "+dir+"/ledger clients=1024\n")
			for range 5 {
				p.client("192.0.2.1").play("mail good bad bad bad good", "c c c c 421 421")
			}
			if lines := p.book.lines("without limits and memory"); len(lines) != 1 ||
				!strings.Contains(lines[0], c.line) {
				t.Errorf("%q", p.book.lines())
			}
			if n := len(p.book.lines("BADRCPTS", "bad=3/3 total=0/10")); n != 5 {
				t.Errorf("%d lines; %q", n, p.book.lines())
			}
		})
	}
}

func mustDo(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A ledger that is truncated while the guard uses it is logged once. Sessions go on, each with its
// own count, as long as no ledger can be opened.
func TestLedgerLost(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 0s\nbad_rcpts_total 4/1h\n")
	m := p.client("192.0.2.1")
	m.play("mail good bad", "c c c")
	path := p.config.Load().Ledger.Path
	mustDo(t, os.Chmod(filepath.Dir(path), 0o777), os.Truncate(path, 0))
	m.play("bad bad good", "c 421 421")
	for range 3 {
		p.client("192.0.2.1").play("mail good bad bad bad good", "c c c c 421 421")
	}
	lost := p.book.lines("truncated", "without limits and memory")
	refused := p.book.lines("lets others in")
	if len(lost) != 1 || len(refused) > 1 {
		t.Errorf("%q", p.book.lines())
	}
}

// A lost ledger is opened again at once, and counts from the beginning.
func TestLedgerLostAndFound(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 0s\nbad_rcpts_total 4/1h\n")
	m := p.client("192.0.2.1")
	m.play("mail good bad", "c c c")
	mustDo(t, os.Truncate(p.config.Load().Ledger.Path, 0))
	m.play("bad", "c")
	lab.Eventually(t, "a new ledger is made", func() bool {
		return len(p.book.lines("set aside as")) == 1
	})
	p.client("192.0.2.1").play("mail bad bad", "c c c")
	p.client("192.0.2.1").play("mail bad bad good", "c c 421 421")
}

// Another file in the place of the ledger is soon opened; a block in it holds for existing
// sessions.
func TestLedgerReplaced(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 0s\nbad_rcpts 0\nbad_rcpts_total 2/1h\n")
	a, b := p.client("192.0.2.1"), p.client("192.0.2.2")
	a.play("mail bad", "c c")
	b.play("mail good", "c c")
	path := p.config.Load().Ledger.Path
	mustDo(t, os.Rename(path, path+".old"))
	p.block("192.0.2.2/32", time.Hour)
	lab.Eventually(t, "the block is found", func() bool {
		return p.session("192.0.2.2").blocked.Load()
	})
	b.play("good", "421")
	a.play("bad bad", "c 421") // the first is forgotten
	if lines := p.book.lines("without limits"); len(lines) != 0 {
		t.Errorf("%q", lines)
	}
}

// A process that stops while it holds the lock delays sessions by no more than the ledger's
// patience, once a second.
func TestLedgerHeld(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 0s\n")
	m := p.client("192.0.2.1")
	m.play("mail bad", "c c")
	holder := child(t, ourselves("hold", p.config.Load().Ledger.Path)).Process
	var status unix.WaitStatus
	if _, err := unix.Wait4(holder.Pid, &status, unix.WUNTRACED, nil); err != nil ||
		!status.Stopped() {
		t.Fatalf("%v, status %#x", err, status)
	}
	began := time.Now()
	m.play("bad bad good good rset mail", "c 421 421 421 421")
	for range 20 {
		p.client("192.0.2.2").play("mail good bad bad bad", "c c c c 421")
	}
	// Each attempt to lock it logs a line.
	n, seconds := len(p.book.lines("without limits and memory")), int(time.Since(began).Seconds())
	if n < 1 || n > 2+seconds {
		t.Errorf("%d lines in %d seconds; %q", n, seconds, p.book.lines())
	}
	mustDo(t, holder.Kill())
	tries := 0
	lab.Eventually(t, "the ledger counts again", func() bool {
		tries++ // each by another client, since its line may come when it is blocked already
		p.client(fmt.Sprintf("198.18.%d.%d", tries>>8, tries&255)).play("mail bad bad bad",
			"c c c 421")
		return len(p.book.lines("BADRCPTS", "[198.18.", "reason=bad_rcpts")) > 0
	})
}
