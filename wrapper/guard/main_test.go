package guard

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/tests/lab"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// The test's program is also a guard of its own, an MTA's process, and one that stops with a lock in its hand.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 { // a role, and what it is about
		switch os.Args[1] {
		case "guard":
			guardRole(os.Args[2], os.Args[3])
		case "relay":
			relayRole(os.Args[2])
		case "hold":
			lab.HoldLock(os.Args[2])
		}
	}
	os.Exit(m.Run())
}

// endWith ends the process with its parent, which may be a test that has been stopped.
func endWith(parent int) {
	for os.Getppid() == parent {
		time.Sleep(100 * time.Millisecond)
	}
	os.Exit(1)
}

// guardRole is a guard with the configuration in a file and its log at a socket.
func guardRole(file, logs string) {
	go endWith(os.Getppid())
	if os.Getenv("LISTEN_FDS") != "" {
		os.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid())) // as a service manager does between fork and exec
	}
	err := Run(Options{File: file, LogTo: func(config.LogTarget) maillog.Log { return maillog.Syslog(logs) }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// relayRole is a process that has a guard's connection, between stdin and the socket at path.
func relayRole(path string) {
	go endWith(os.Getppid())
	c, err := net.Dial("unix", path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		_, _ = io.Copy(c, os.Stdin)
		c.Close() // to exit takes a second under the race detector
		os.Exit(0)
	}()
	_, _ = io.Copy(os.Stdout, c)
	select {}
}

// never is for what must not happen meanwhile.
const never = time.Hour

// book is what has been logged.
type book struct {
	*lab.Log
	path string
}

func openBook(t testing.TB, path string) *book {
	t.Helper()
	log, err := lab.NewLog("")
	if err == nil {
		err = log.Listen(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	return &book{log, path}
}

// lines are those in which all of this stands, of all that have been written by now.
func (b *book) lines(parts ...string) []string {
	if err := b.Settle(); err != nil {
		panic(err)
	}
	return b.Containing(parts...)
}

// await is the first line in which all of this stands.
func (b *book) await(t testing.TB, parts ...string) string {
	t.Helper()
	lab.Eventually(t, fmt.Sprintf("a log line with %q", parts), func() bool { return len(b.lines(parts...)) > 0 })
	return b.lines(parts...)[0]
}

// post is a guard with a configuration, a ledger and a log, in the test's own process.
type post struct {
	*guard
	t      testing.TB
	dir    string
	socket string
	book   *book
	stop   context.CancelFunc
	begun  bool
	milter milterSaid
}

// milterSaid is what go-milter has had to say: also what it recovered from.
type milterSaid struct {
	sync.Mutex
	text strings.Builder
	to   io.Writer
}

func (m *milterSaid) Write(b []byte) (int, error) {
	m.Lock()
	defer m.Unlock()
	m.text.Write(b)
	return m.to.Write(b)
}

func (m *milterSaid) String() string {
	m.Lock()
	defer m.Unlock()
	return m.text.String()
}

// build makes a guard from lines of sendwrap.conf, at which nobody arrives yet.
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
		File: p.file("conf"), LogTo: func(config.LogTarget) maillog.Log { return maillog.Syslog(p.book.path) },
	}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.milter.to = p.remarks
	log.SetOutput(&p.milter)
	t.Cleanup(func() {
		if p.stop(); !p.begun {
			p.dismiss()
		}
		if said := p.milter.String(); strings.Contains(said, "panic") {
			t.Error(said)
		}
	})
	return p
}

// conf are lines of sendwrap.conf, and those that every test needs.
func (p *post) conf(lines string) string {
	if !strings.Contains("\n"+lines, "\nledger ") {
		lines += "\nledger " + p.file("state/ledger") + " clients=1024"
	}
	return lines + "\nguard_listen unix:" + p.socket + "\n"
}

// stand is build, and then the guard does its work until the test ends; nothing of any session may be left by then.
func stand(t testing.TB, conf string) *post {
	t.Helper()
	p := build(t, conf)
	p.begin()
	return p
}

func (p *post) begin() {
	p.t.Helper()
	p.begun = true
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
		p.dismiss()
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

// rules are the configuration for which a test needs no others: nobody waits, and sessions are counted by themselves.
const rules = "bad_rcpt_delay 0s\nbad_rcpts 3\nbad_rcpts_total 0\n"

func (p *post) file(name string) string { return filepath.Join(p.dir, name) }

func (p *post) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.file(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// ledger is the guard's, as another process opens it.
func (p *post) ledger() *ledger.Ledger {
	p.t.Helper()
	c := p.config.Load().Ledger
	l, _, err := ledger.Open(c.Path, c.Clients, ledger.ThisBoot())
	mustDo(p.t, err)
	return l
}

// inOther does work on it as another process would.
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

// inside is in how many goroutines a function runs.
func inside(function string) int {
	stacks := make([]byte, 16<<20)
	text := string(stacks[:runtime.Stack(stacks, true)])
	return strings.Count(text, "\nsendwrap/wrapper/guard."+function+"(")
}

// ourselves is the test's program in one of its other roles.
func ourselves(role ...string) *exec.Cmd { return exec.Command(os.Args[0], role...) }

// shortDir is a directory with a path short enough for that of a socket.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "guard")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// child starts the test's program, or another, with those arguments; it is gone when the test ends.
func child(t testing.TB, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0") // else a second, each
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// socketPair is one end of a pair of sockets, and the file of the other.
func socketPair(t testing.TB) (net.Conn, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	c, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); theirs.Close() })
	return c, theirs
}
