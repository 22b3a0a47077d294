package tests

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// topSite is a room and its configuration.
type topSite struct {
	dir, conf string
	addr      netip.AddrPort
	room      *lab.Daemon
}

// newTopSite starts a room at an address of its own, in which clients wait for minutes.
func newTopSite(t *testing.T, at string) *topSite {
	t.Helper()
	lab.Need(t, lab.NoNamespaces())
	s := &topSite{dir: t.TempDir()}
	s.conf = filepath.Join(s.dir, "conf")
	ledgerDir := filepath.Join(s.dir, "state")
	text := fmt.Sprintf("greet_delay 290s stress=290s\nledger %s/ledger clients=1024\nlog none\n"+
		"block strikes=8 within=1h\nmax_waiting 20 room=20\n", ledgerDir)
	addr, err := lab.FreePort(netip.MustParseAddr(at))
	if err == nil {
		err = os.Mkdir(ledgerDir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(s.conf, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.addr = addr
	room, err := lab.Start(exec.Command(os.Getenv("SENDWRAP"), "listen", "-f", s.conf,
		addr.String()), filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	s.room = room
	t.Cleanup(room.KillAll)
	lab.Eventually(t, "the room listens", func() bool { return lab.Listening(addr) })
	return s
}

// client connects from an address, says something, and waits.
func (s *topSite) client(t *testing.T, from, says string) *lab.Client {
	t.Helper()
	c, err := lab.Dial(netip.MustParseAddr(from), s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if says != "" {
		err = c.Send(says)
		if err == nil {
			_, err = c.Reply()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// clients are several from one address: so many that their count is not halved to nothing while a
// test waits.
func (s *topSite) clients(t *testing.T, from, says string) (one *lab.Client) {
	t.Helper()
	for range several {
		one = s.client(t, from, says)
	}
	return one
}

const several = 6

func (s *topSite) top(t *testing.T, columns, rows uint16, env ...string) *aTerminal {
	t.Helper()
	env = append([]string{"TERM=xterm", "LANG=C.UTF-8", "LC_ALL="}, env...)
	return startOnTerminal(t, columns, rows, env, os.Getenv("SENDWRAP"), "top", "-f", s.conf)
}

// colour is a sequence that chooses one (ECMA-48, SGR).
var colour = regexp.MustCompile(`\x1b\[([0-9;]*;)?[349][0-7](;[0-9;]*)?m`)

// On a usual terminal top shows what happens in a room: who waits, who was refused. Its keys choose
// lists and lines, filter, block and unblock, pause and end it, and the terminal is as before.
func TestTop(t *testing.T) {
	t.Parallel()
	s := newTopSite(t, "127.0.7.1")
	s.clients(t, "192.0.2.7", "")
	s.clients(t, "192.0.2.8", "EHLO bot")
	m := s.top(t, 80, 24)
	m.shows(`^sendwrap top  room \d+ for \w+  networks 2 of 1024`)
	m.shows(`^waiting +6 of 20 +█`)
	m.shows(`^192\.0\.2\.8/32 +[1-6] +[1-6] PREGREET`)
	m.press("?")
	m.shows(`b, u: block or unblock`)
	m.press("b") // no key does more than close it
	m.press("r")
	m.shows(`^networks that come most, by came, reversed \(2\)`)
	m.press("s")
	m.shows(`^networks that come most, by refused, reversed \(2\)`)
	m.press("3")
	m.shows(`^192\.0\.2\.7/32 +6 +0 +\w+ +\d+$`)
	waits := s.client(t, "192.0.2.9", "")
	m.shows(`^192\.0\.2\.9/32 +1 +0`)
	m.shows(`^waiting +7 of 20`)

	m.press("/2.9")
	m.shows(`only networks with: 2\.9_`)
	m.awaits(`^192\.0\.2\.7/32`, true)
	m.press("\rb")
	m.shows(`^block 192\.0\.2\.9/32\? y for yes`)
	m.press("n")
	m.shows(`^nothing done`)
	m.press("by")
	m.shows(`192\.0\.2\.9/32: blocked for 1h; `)
	m.press("4")
	m.shows(`^192\.0\.2\.9/32 +(1h00m|5\dm\d+s) +\w+ +1 administrator`)
	if text, err := waits.Reply(); err != nil || !strings.HasPrefix(text, "421 ") {
		t.Errorf("the blocked client reads %q, %v", text, err)
	}
	m.press("uy")
	m.shows(`192\.0\.2\.9/32: unblocked`)
	m.shows(`^blocks \(0\)`)

	m.press("/")
	m.shows(`^only networks with: 2\.9_`)
	m.press("\x1b")
	m.shows(`^q quit`)
	m.press("1")
	m.shows(`^192\.0\.2\.7/32`)
	m.press("/nobody\r")
	m.shows(`^networks that come most, by refused, reversed \(0\)`)
	m.press("\x1b")
	m.awaits(`filter nobody`, true) // Escape is not the first byte of another key
	m.shows(`^192\.0\.2\.7/32`)
	m.press("p")
	m.shows(`paused`)
	s.clients(t, "192.0.2.10", "")
	m.press("p")
	m.shows(`^192\.0\.2\.10/32`)
	m.press("q")
	if all := m.ends(0); !colour.MatchString(all) || !strings.Contains(all, "\x1b[?1049l") {
		t.Errorf("no colour, or the screen from before is not back: %q", all)
	}
}

// A terminal of 20 columns shows what fits, and one that grows shows more. Without colours the
// screen says the same, and one whose locale has no block elements gets ASCII.
func TestTopOnOtherTerminals(t *testing.T) {
	t.Parallel()
	s := newTopSite(t, "127.0.7.2")
	s.clients(t, "192.0.2.7", "")
	m := s.top(t, 20, 10, "NO_COLOR=1", "LANG=C", "LC_ALL=C")
	m.shows(`^waiting +6 of 20`)
	m.shows(`^192\.0\.2\.7/32`)
	m.awaits(`[^\x00-\x7f]`, true)
	for _, size := range [][2]uint16{{1, 1}, {200, 60}, {80, 2}, {3, 40}, {100, 40}} {
		m.resize(size[0], size[1])
		m.shows(`^\S`)
	}
	m.shows(`^blocks \(0\)`)
	m.shows(`^waiting +6 of 20 +##*\.\.*`)

	// It is stopped while its terminal changes all the time and keys come, and goes on.
	signal := func(s unix.Signal) {
		t.Helper()
		if err := m.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint16(200) {
		if n%50 == 10 {
			signal(unix.SIGSTOP)
		}
		m.resize(1+n*7%150, 1+n*3%50)
		if m.press("j"); n%50 == 40 {
			signal(unix.SIGCONT)
		}
	}
	m.resize(90, 30)
	m.press("/2.7\r")
	m.shows(`^sendwrap top  filter 2\.7  room`)
	m.shows(`^192\.0\.2\.7/32`)
	signal(unix.SIGTERM)
	if found := colour.FindString(m.ends(0)); found != "" {
		t.Errorf("NO_COLOR: %q", found)
	}
}

// A ledger that is not there, cannot be read, or is of another version is named on the screen. Top
// goes on when it is back, and when another one takes its place.
func TestTopWithoutLedger(t *testing.T) {
	t.Parallel()
	s := newTopSite(t, "127.0.7.3")
	s.clients(t, "192.0.2.7", "")
	m := s.top(t, 80, 24)
	m.shows(`^192\.0\.2\.7/32`)
	ledger := filepath.Join(s.dir, "state/ledger")
	text, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	newer := append([]byte{}, text...)
	newer[8]++
	s.room.KillAll() // it would make another
	if err := os.Rename(filepath.Dir(ledger), filepath.Join(s.dir, "kept")); err != nil {
		t.Fatal(err)
	}
	m.showsWrapped(`state: no such file or directory`)
	m.awaits(`^192\.0\.2\.7/32`, true)
	put := func(text []byte) {
		t.Helper()
		err := os.MkdirAll(filepath.Dir(ledger), 0o700)
		if err == nil {
			err = os.WriteFile(ledger+".put", text, 0o600)
		}
		if err == nil {
			err = os.Rename(ledger+".put", ledger)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put(newer)
	m.showsWrapped(`is a ledger of version \d+; this program writes`)
	put([]byte("no ledger at all"))
	m.showsWrapped(`is not a ledger`)
	put(text)
	m.shows(`^networks that come most \(1\)`)
	if err := m.cmd.Process.Signal(unix.SIGINT); err != nil { // as kill(1) and timeout(1) send it
		t.Fatal(err)
	}
	if all := m.ends(0); !strings.Contains(all, "\x1b[?1049l") {
		t.Errorf("the screen from before is not back: %q", all)
	}
}

// For a script there is one frame without any escape sequence. Where no screen is possible, top
// says what to write instead.
func TestTopOnce(t *testing.T) {
	t.Parallel()
	s := newTopSite(t, "127.0.7.4")
	s.clients(t, "192.0.2.8", "EHLO bot")
	out, err := exec.Command(os.Getenv("SENDWRAP"), "top", "-f", s.conf, "-once").CombinedOutput()
	if err != nil || strings.Contains(string(out), "\x1b") ||
		!regexp.MustCompile(`(?m)^192\.0\.2\.8/32 +[1-6] +[1-6] PREGREET`).Match(out) {
		t.Errorf("%v: %s", err, out)
	}
	out, err = exec.Command(os.Getenv("SENDWRAP"), "top", "-f", s.conf).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "stdout is no terminal; write sendwrap top -") {
		t.Errorf("on a pipe: %v: %s", err, out)
	}
	dumb := s.top(t, 80, 24, "TERM=dumb")
	if said := dumb.ends(111); !strings.Contains(said, "cannot move its cursor (TERM=dumb);") {
		t.Errorf("it says %q", said)
	}
}
