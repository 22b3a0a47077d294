package enforce

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/tests/lab"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// The test's program is also other processes: one that carries a block out, since slots are shared
// by processes; one that waits for its client; one that has a slot.
const (
	confName   = "SENDWRAP_ENFORCE_CONF"
	blockName  = "SENDWRAP_ENFORCE_BLOCK"
	waiterName = "SENDWRAP_ENFORCE_WAITER"
	slotName   = "SENDWRAP_ENFORCE_SLOT"
)

func TestMain(m *testing.M) {
	if os.Getenv(waiterName) != "" {
		waitToBeWoken()
	}
	if path := os.Getenv(slotName); path != "" {
		panic(holdSlot(path))
	}
	file := os.Getenv(confName)
	if file == "" {
		// In namespaces: a network of the tests must not hold an address of the machine.
		os.Exit(lab.Isolate(lab.Setup{Run: m.Run}))
	}
	var b Block
	if err := json.Unmarshal([]byte(os.Getenv(blockName)), &b); err != nil {
		panic(err)
	}
	cfg, err := config.Load(file, allowlist.All())
	if err != nil {
		panic(err)
	}
	e := Enforcer{Config: cfg, Log: maillog.Stderr(), patience: 5 * time.Minute}
	if o := e.CarryOut(b); len(o.Failed) > 0 {
		os.Exit(1) // the log says why
	}
}

// never is a time that must not pass in a test.
const never = time.Hour

// place is a configuration with a ledger and a log of its own, and processes that are clients'
// sessions.
type place struct {
	*testing.T
	dir    string
	config *config.Config
	log    maillog.Log
	syslog int
	lines  []string
}

// inPlace makes one from lines of sendwrap.conf.
func inPlace(t *testing.T, conf string) *place {
	t.Helper()
	p := &place{T: t, dir: t.TempDir()}
	logs, err := os.MkdirTemp("", "log") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(logs) })
	const kind = unix.SOCK_DGRAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	if p.syslog, err = unix.Socket(unix.AF_UNIX, kind, 0); err == nil {
		err = unix.Bind(p.syslog, &unix.SockaddrUnix{Name: logs + "/log"})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p.syslog) })
	p.log = maillog.Syslog(logs + "/log")
	p.configure(conf)
	return p
}

func (p *place) file(name string) string { return filepath.Join(p.dir, name) }

func (p *place) write(name, text string, mode os.FileMode) string {
	p.Helper()
	path := p.file(name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		p.Fatal(err)
	}
	return path
}

func (p *place) configure(conf string) {
	p.Helper()
	text := fmt.Sprintf("mta /bin/true\nledger %s clients=1024\n%s\n", p.file("state/ledger"), conf)
	file := p.write("conf", text, 0o600)
	cfg, err := config.Load(file, allowlist.All())
	if err != nil {
		p.Fatal(err)
	}
	p.config = cfg
}

// hook makes a shell script on_block.
func (p *place) hook(does string) {
	p.Helper()
	p.config.OnBlock = []string{p.write("hook", "#!/bin/sh\n"+does+"\n", 0o755), "first"}
}

func (p *place) enforcer() *Enforcer { return &Enforcer{Config: p.config, Log: p.log} }

// queue is one that ends with the test.
func (p *place) queue() *Queue {
	q := NewQueue(p.config, p.log)
	p.Cleanup(q.Close)
	return q
}

// open opens the ledger.
func (p *place) open() *ledger.Ledger {
	p.Helper()
	l, _, err := ledger.Open(p.config.Ledger.Path, p.config.Ledger.Clients, ledger.ThisBoot())
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = l.Close() })
	return l
}

// do works on the ledger.
func (p *place) do(work func(t *ledger.Tx)) {
	p.Helper()
	if err := p.open().Do(ledger.Now(), work); err != nil {
		p.Fatal(err)
	}
}

// block begins a block in the ledger.
func (p *place) block(network string, d time.Duration) Block {
	p.Helper()
	n := netip.MustParsePrefix(network)
	p.do(func(t *ledger.Tx) {
		if t.Block(n, d, "test", ledger.Penalty{For: time.Hour, Max: time.Hour}) == 0 {
			p.Errorf("no room for a block of %v", n)
		}
	})
	return Block{Network: n, For: d, Reason: "a test"}
}

func (p *place) unblock(network string) {
	p.Helper()
	ended, err := p.open().Unblock(ledger.Now(), netip.MustParsePrefix(network))
	if err != nil || len(ended) != 1 {
		p.Fatalf("unblock %s: %v, %v", network, ended, err)
	}
}

// said returns the log so far.
func (p *place) said() []string {
	var b [4096]byte
	for {
		n, err := unix.Read(p.syslog, b[:])
		if err != nil {
			return p.lines
		}
		_, text, _ := strings.Cut(string(b[:n]), "]: ")
		p.lines = append(p.lines, text)
	}
}

// logged counts the lines that contain all of the texts.
func (p *place) logged(texts ...string) (n int) {
next:
	for _, line := range p.said() {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue next
			}
		}
		n++
	}
	return n
}

// elsewhere returns a command that carries the block out in a process of its own.
func (p *place) elsewhere(b Block) *osexec.Cmd {
	p.Helper()
	arg, err := json.Marshal(b)
	if err != nil {
		p.Fatal(err)
	}
	cmd := osexec.Command("/proc/self/exe") // which another user, too, can execute
	cmd.Env = append(os.Environ(), confName+"="+p.file("conf"), blockName+"="+string(arg))
	return cmd
}

// idle reports whether nothing is pending.
func (q *Queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.pending) == 0
}

// content returns the text of a file, "" if there is none.
func (p *place) content(name string) string {
	text, _ := os.ReadFile(p.file(name))
	return string(text)
}
