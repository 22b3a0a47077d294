package guard

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// SIGHUP: a valid configuration holds for sessions that begin after it; one with mistakes holds for
// none.
func TestHangup(t *testing.T) {
	p := build(t, rules)
	g := p.guardProcess("")
	lab.Eventually(t, "the guard answers", func() bool { return speaks("unix", p.socket) })
	old := p.client("192.0.2.1")
	p.write("conf", p.conf("bad_rcpt_delay 0s\nbad_rcpts 1\nblock off\n"))
	mustDo(t, g.Process.Signal(unix.SIGHUP))
	p.book.await(t, "mail.info", "conf: configuration reloaded")
	p.client("192.0.2.2").play("mail bad good", "c 421 421")
	old.play("mail bad bad bad good", "c c c 421 421")

	p.write("conf", p.conf("bad_rcpt_delay 0s\nbad_rcpts 2\nbad_rcpts 3\n"))
	mustDo(t, g.Process.Signal(unix.SIGHUP))
	p.book.await(t, "mail.warning", "/conf:3: bad_rcpts: already set at")
	p.book.await(t, "mail.warning", "keeping the previous configuration")
	p.client("192.0.2.3").play("mail bad good", "c 421 421")

	mustDo(t, os.Remove(p.file("conf")), g.Process.Signal(unix.SIGHUP))
	p.book.await(t, "mail.warning", "no such file")
	p.client("192.0.2.3").play("mail bad good", "c 421 421")

	p.write("conf", strings.Replace(p.conf("allow 192.0.2.0/24\n"), p.socket, p.socket+".other", 1))
	mustDo(t, g.Process.Signal(unix.SIGHUP))
	p.book.await(t, "mail.warning", "guard_listen changed; restart the guard to apply it")
	m := p.mta()
	m.want("a", m.connect("192.0.2.4", 1))
}

// Another ledger and another log are used at once, by existing sessions, too.
func TestReload(t *testing.T) {
	p := build(t, rules)
	other := openBook(t, shortDir(t)+"/log")
	p.guard.LogTo = func(to policy.LogTarget) maillog.Log {
		if to == policy.Stderr {
			return maillog.Syslog(other.path)
		}
		return maillog.Syslog(p.book.path)
	}
	p.begin()
	m := p.client("192.0.2.1")
	p.write("conf", p.conf(rules+"log stderr\nledger "+p.file("second/ledger")+" clients=1024\n"))
	p.reload()
	other.await(t, "configuration reloaded")
	m.play("mail bad bad bad", "c c c 421")
	other.await(t, "BADRCPTS")
	p.remarks.note("a remark")
	other.await(t, "a remark")
	if _, err := os.Stat(p.file("second/ledger")); err != nil {
		t.Error(err)
	}
	p.write("conf", p.conf(rules+"ledger "+p.file("second/ledger")+" clients=1024\n"))
	p.reload()
	p.book.await(t, "configuration reloaded")
	if name, own := p.config.Load().Hostname, wrapper.MachineName(); name != own {
		t.Errorf("sessions share the name %q; want %q, which none has to look up", name, own)
	}
	second := p.mta()
	second.want("y421 4.7.1", second.connect("192.0.2.1", 1)) // which the second ledger knows
}

// SIGTERM: the sessions end at once, and their transcripts are written. The log says when the guard
// begins and ends.
func TestTerminate(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT} {
		dir := t.TempDir()
		p := build(t, rules+"transcript "+dir+"\n")
		g := p.guardProcess("")
		lab.Eventually(t, "the guard answers", func() bool { return speaks("unix", p.socket) })
		idle, blocked, half := p.client("192.0.2.1"), p.client("192.0.2.2"), p.dial()
		idle.play("mail good", "c c")
		blocked.play("mail bad bad bad", "c c c 421")
		half.raw([]byte("\x00\x00"))
		mustDo(t, g.Process.Signal(sig))
		for _, m := range []*mta{idle, blocked, half} {
			m.gone()
		}
		mustDo(t, g.Wait())
		p.book.await(t, "mail.info", ": guard: listening on "+p.socket)
		p.book.await(t, "mail.info", ": guard: ended")
		only(t, dir)
		if _, err := os.Lstat(p.socket); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket stays: %v", err)
		}
		if lines := p.book.lines("mail.warning"); len(lines) > 0 {
			t.Errorf("%q", lines)
		}
	}
}

// SIGKILL: the next guard takes the place of the one that was killed, and knows what that one knew.
func TestKilled(t *testing.T) {
	p := build(t, "bad_rcpt_delay 0s\nbad_rcpts 0\nbad_rcpts_total 4/1h\n")
	g := p.guardProcess("")
	lab.Eventually(t, "the guard answers", func() bool { return speaks("unix", p.socket) })
	m := p.client("192.0.2.1")
	m.play("mail bad bad bad", "c c c c")
	mustDo(t, g.Process.Kill())
	m.gone()
	_ = g.Wait()
	p.guardProcess("")
	lab.Eventually(t, "another guard answers", func() bool { return speaks("unix", p.socket) })
	p.client("192.0.2.1").play("mail good bad good", "c c 421 421")
}
