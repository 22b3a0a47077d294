package guard

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/allowlist"
	"sendwrap/tests/lab"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// post is a guard with a configuration, a ledger and a log, in the test's own process.
type post struct {
	*guard
	t       testing.TB
	dir     string
	socket  string
	book    *book
	stop    context.CancelFunc
	started bool
}

// build makes a guard from lines of sendwrap.conf. It does not listen yet.
func build(t testing.TB, conf string) *post {
	t.Helper()
	p := &post{t: t, dir: t.TempDir(), socket: shortDir(t) + "/guard.sock"}
	p.book = openBook(t, shortDir(t)+"/log")
	p.write("conf", p.conf(conf))
	cfg, err := config.Load(p.file("conf"), allowlist.All())
	if err != nil {
		t.Fatal(err)
	}
	var stop context.Context
	stop, p.stop = context.WithCancel(context.Background())
	p.guard, err = newGuard(stop, Options{
		File:  p.file("conf"),
		LogTo: func(policy.LogTarget) maillog.Log { return maillog.Syslog(p.book.path) },
	}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.stop(); !p.started {
			p.shutdown()
		}
		p.panicked(t)
	})
	return p
}

// panicked fails the test if a session has panicked.
func (p *post) panicked(t testing.TB) {
	t.Helper()
	if logged := p.book.lines("panic"); len(logged) > 0 {
		t.Fatalf("%q", logged)
	}
}

// conf adds the lines of sendwrap.conf that every test needs.
func (p *post) conf(lines string) string {
	if !strings.Contains("\n"+lines, "\nledger ") {
		lines += "\nledger " + p.file("state/ledger") + " clients=1024"
	}
	return lines + "\nguard_listen unix:" + p.socket + "\n"
}

// stand builds a guard, which works until the test ends; no session may be left by then.
func stand(t testing.TB, conf string) *post {
	t.Helper()
	p := build(t, conf)
	p.begin()
	return p
}

func (p *post) begin() {
	p.t.Helper()
	p.started = true
	l := p.listen()
	places := p.places
	ended := make(chan struct{}, 2)
	go func() { p.accept(l); ended <- struct{}{} }()
	go func() { p.watch(nil); ended <- struct{}{} }()
	p.t.Cleanup(func() {
		p.stop()
		_ = l.Close()
		<-ended
		<-ended
		p.shutdown()
		lab.Eventually(p.t, "all sessions have left", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.sessions) == 0 && p.guard.places == places
		})
	})
}

// listen opens the guard's socket.
func (p *post) listen() net.Listener {
	p.t.Helper()
	l, err := listen(p.config.Load().GuardListen)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { l.Close() })
	return l
}

// rules are the configuration of most tests: no delays, and sessions are counted by themselves.
const rules = "bad_rcpt_delay 0s\nbad_rcpts 3\nbad_rcpts_total 0\n"

func (p *post) file(name string) string { return filepath.Join(p.dir, name) }

func (p *post) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.file(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// ledger is the guard's ledger, as another process opens it.
func (p *post) ledger() *ledger.Ledger {
	p.t.Helper()
	c := p.config.Load().Ledger
	l, _, err := ledger.Open(c.Path, c.Clients, ledger.ThisBoot())
	mustDo(p.t, err)
	return l
}

// inOther works on it as another process would.
func (p *post) inOther(work func(*ledger.Tx)) {
	p.t.Helper()
	l := p.ledger()
	defer l.Close()
	mustDo(p.t, l.Do(ledger.Now(), work))
}

// count is how often the ledger has counted a verdict.
func (p *post) count(verdict int) (n int) {
	p.inOther(func(t *ledger.Tx) { n = int(t.Totals().Verdicts[verdict]) })
	return n
}
