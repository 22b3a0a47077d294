package guard

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
)

// SIGHUP: a configuration that is right holds for sessions that begin from then on, one with mistakes for nobody.
func TestHangup(t *testing.T) {
	p := build(t, rules)
	g := p.guardProcess("")
	eventually(t, "the guard answers", func() bool { return speaks("unix", p.socket) })
	old := p.client("192.0.2.1")
	p.write("conf", p.conf("bad_rcpt_delay 0s\nbad_rcpts 1\nblock off\n"))
	mustDo(t, g.Process.Signal(unix.SIGHUP))
	p.book.await(t, "<22>", "conf: read anew")
	p.client("192.0.2.2").play("mail bad good", "c 421 421")
	old.play("mail bad bad bad good", "c c c 421 421")

	p.write("conf", p.conf("bad_rcpt_delay 0s\nbad_rcpts 2\nbad_rcpts 3\n"))
	mustDo(t, g.Process.Signal(unix.SIGHUP))
	p.book.await(t, "<20>", "/conf:3: bad_rcpts: already set at")
	p.book.await(t, "<20>", "what held before holds on")
	p.client("192.0.2.3").play("mail bad good", "c 421 421")

	mustDo(t, os.Remove(p.file("conf")), g.Process.Signal(unix.SIGHUP))
	p.book.await(t, "<20>", "no such file")
	p.client("192.0.2.3").play("mail bad good", "c 421 421")

	p.write("conf", strings.Replace(p.conf("allow 192.0.2.0/24\n"), p.socket, p.socket+".other", 1))
	mustDo(t, g.Process.Signal(unix.SIGHUP))
	p.book.await(t, "<20>", "guard_listen is another now; restart the guard")
	m := p.mta()
	m.want("a", m.connect("192.0.2.4", 1))
}

// Another ledger and another log are made use of at once, also by sessions that there are.
func TestReload(t *testing.T) {
	p := build(t, rules)
	other := openBook(t, shortDir(t)+"/log")
	p.guard.LogTo = func(to config.LogTarget) maillog.Log {
		if to == config.Stderr {
			return maillog.Syslog(other.path)
		}
		return maillog.Syslog(p.book.path)
	}
	p.begin()
	m := p.client("192.0.2.1")
	p.write("conf", p.conf(rules+"log stderr\nledger "+p.file("second/ledger")+" clients=1024\n"))
	p.reload()
	other.await(t, "read anew")
	m.play("mail bad bad bad", "c c c 421")
	other.await(t, "BADRCPTS")
	p.remarks.note("a remark")
	other.await(t, "a remark")
	if _, err := os.Stat(p.file("second/ledger")); err != nil {
		t.Error(err)
	}
	p.write("conf", p.conf(rules+"ledger "+p.file("second/ledger")+" clients=1024\n"))
	p.reload()
	p.book.await(t, "read anew")
	second := p.mta()
	second.want("y421 4.7.1", second.connect("192.0.2.1", 1)) // which the second ledger knows
}

// SIGTERM: the sessions end, at once, and what one has earned is written down.
func TestTerminate(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT} {
		dir := t.TempDir()
		p := build(t, rules+"transcript "+dir+"\n")
		g := p.guardProcess("")
		eventually(t, "the guard answers", func() bool { return speaks("unix", p.socket) })
		idle, earned, half := p.client("192.0.2.1"), p.client("192.0.2.2"), p.dial()
		idle.play("mail good", "c c")
		earned.play("mail bad bad bad", "c c c 421")
		half.raw([]byte("\x00\x00"))
		mustDo(t, g.Process.Signal(sig))
		for _, m := range []*mta{idle, earned, half} {
			m.gone()
		}
		mustDo(t, g.Wait())
		only(t, dir)
		if _, err := os.Lstat(p.socket); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket stays: %v", err)
		}
		if lines := p.book.lines("<20>"); len(lines) > 0 {
			t.Errorf("%q", lines)
		}
	}
}

// SIGKILL: the next guard takes the place of the one that was killed, and knows what that one knew.
func TestKilled(t *testing.T) {
	p := build(t, "bad_rcpt_delay 0s\nbad_rcpts 0\nbad_rcpts_total 4/1h\n")
	g := p.guardProcess("")
	eventually(t, "the guard answers", func() bool { return speaks("unix", p.socket) })
	m := p.client("192.0.2.1")
	m.play("mail bad bad bad", "c c c c")
	mustDo(t, g.Process.Kill())
	m.gone()
	_ = g.Wait()
	p.guardProcess("")
	eventually(t, "another guard answers", func() bool { return speaks("unix", p.socket) })
	p.client("192.0.2.1").play("mail good bad good", "c c 421 421")
}

// Remarks are told of once a second, the first of them and how many there were, however many.
func TestRemarks(t *testing.T) {
	p := build(t, rules)
	for range 1000 {
		p.remarks.note("first" + strings.Repeat("x", 1000))
	}
	p.remarks.report()
	p.remarks.report()
	p.book.await(t, "(and 999 more like it)")
	if lines := p.book.lines(); len(lines) != 1 || len(lines[0]) > longestRemark+100 {
		t.Errorf("%q", lines)
	}
	_, _ = p.remarks.Write([]byte("panic handling command: x\ngoroutine 1:\n"))
	p.remarks.report()
	if line := p.book.await(t, "panic"); !strings.HasSuffix(line, "milter: panic handling command: x") {
		t.Error(line)
	}
}

// Memory is given back once no more sessions come for a moment, and not twice for the same, nor all the time.
func TestSweep(t *testing.T) {
	p := build(t, rules)
	go p.accept(p.listen())
	began := time.Now()
	var s sweep
	at := func(second int, want uint64) {
		t.Helper()
		if p.sweep(&s, began.Add(time.Duration(second)*time.Second)); s.done != want {
			t.Errorf("second %d: swept after %d sessions; want %d", second, s.done, want)
		}
	}
	at(0, 0)
	p.client("192.0.2.1")
	at(1, 0)
	at(2, 1)
	p.client("192.0.2.1")
	at(3, 1)
	at(4, 1)
	at(6, 1)
	at(7, 2)
	if at(60, 2); !s.at.Equal(began.Add(7 * time.Second)) {
		t.Errorf("swept at %v, %v after the first look", s.at, s.at.Sub(began))
	}
}
