// Package room tests a real sendwrap that serves many clients in one process, under load: with
// thousands of clients that wait, with floods, and with signals during both. What an attacker can
// do to others is tried with a process each, too. Clients connect from all over 127/8, so most of
// the tests do not need root.
package room

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "mta" {
		lab.StandIn()
	}
	os.Exit(lab.Isolate(lab.Setup{
		Build: func(dir string) error {
			if err := lab.BuildPair(dir, lab.Race); err != nil {
				return err
			}
			return lab.BuildPair(filepath.Join(dir, "each"), false) // hundreds start at a time
		},
		Prepare: lab.ClientsHere,
		Run:     m.Run,
	}))
}

func sendwrap() string { return lab.Door(lab.Dir()) }

// server is a running sendwrap.
type server struct {
	t       *testing.T
	dir     string
	program string
	addr    netip.AddrPort
	*lab.Daemon
}

// serve starts sendwrap with these directives on a port of its own.
func serve(t *testing.T, conf string) *server {
	t.Helper()
	return serveWith(t, conf, 65536)
}

// serveWith is serve with a ledger for that many clients.
func serveWith(t *testing.T, conf string, clients int) *server {
	t.Helper()
	return serveAt(t, addr("127.0.0.1"), conf, clients)
}

// serveAt is serveWith at an address.
func serveAt(t *testing.T, at netip.Addr, conf string, clients int) *server {
	t.Helper()
	s := setUp(t, at, conf, clients)
	s.listen()
	return s
}

func (s *server) listen() {
	s.t.Helper()
	s.start(s.program, "listen", "-f", s.file("conf"), s.addr.String())
}

// serveEach is serve with a process for each client.
func serveEach(t *testing.T, conf string) *server {
	t.Helper()
	return serveEachBy(t, lab.Door(filepath.Join(lab.Dir(), "each")), conf)
}

// serveEachBy is serveEach with this program.
func serveEachBy(t *testing.T, program, conf string) *server {
	t.Helper()
	s := setUp(t, addr("127.0.0.1"), conf, 65536)
	s.program = program
	argv, missing, err := lab.SuperServer("tcpserver", s.dir, []netip.AddrPort{s.addr},
		s.program, "-f", s.file("conf"))
	if err != nil {
		t.Fatal(err)
	}
	lab.Need(t, missing)
	s.start(argv...)
	return s
}

// setUp makes all that a server needs.
func setUp(t *testing.T, at netip.Addr, conf string, clients int) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), program: sendwrap()}
	conf += fmt.Sprintf("mta %s\nledger %s clients=%d\nlog stderr\n", s.file("mta"),
		s.file("state/ledger"), clients)
	program, err := os.Executable()
	if err == nil {
		err = os.Symlink(program, s.file("mta"))
	}
	if err == nil {
		err = os.Mkdir(s.file("state"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(s.file("conf"), []byte(conf), 0o600)
	}
	if err == nil {
		s.addr, err = lab.FreePort(at)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, race, found := bytes.Cut(s.log(), []byte("WARNING: DATA RACE")); found {
			t.Errorf("data race in the room:%.4000s", race)
		}
	})
	return s
}

func (s *server) file(name string) string { return filepath.Join(s.dir, name) }

func (s *server) start(argv ...string) {
	s.t.Helper()
	d, err := lab.Start(exec.Command(argv[0], argv[1:]...), s.file("log"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.Daemon = d
	s.t.Cleanup(d.KillAll)
	lab.Eventually(s.t, "the server listens", func() bool { return lab.Listening(s.addr) })
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// waitEnd waits until the room has ended, with exit status 0.
func (s *server) waitEnd() {
	s.t.Helper()
	if !s.Ends() {
		s.t.Fatal("the room does not end")
	}
	if !s.ProcessState.Success() {
		s.t.Errorf("the room ended with %v", s.ProcessState)
	}
}

// takeOver makes a new program take over from the running one. A room that is too busy logs that
// the running program stays; takeOver then signals it again.
func (s *server) takeOver() {
	s.t.Helper()
	const taken, stay = "a new program has taken over", "the running program stays"
	before, stays := s.logged(taken), s.logged(stay)
	s.signal(unix.SIGUSR2)
	lab.Eventually(s.t, "the new program takes over", func() bool {
		if s.Ended() {
			s.t.Fatalf("the room has ended instead: %v", s.ProcessState)
		}
		if n := s.logged(stay); n > stays {
			stays = n
			s.signal(unix.SIGUSR2)
		}
		return s.logged(taken) > before
	})
}

func (s *server) log() []byte {
	text, err := os.ReadFile(s.file("log"))
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// logged counts how often the text is in the log.
func (s *server) logged(text string) int { return bytes.Count(s.log(), []byte(text)) }

// waitLogged waits until the text is in the log n times.
func (s *server) waitLogged(text string, n int) {
	s.t.Helper()
	if !lab.Await(func() bool { return s.logged(text) == n }) {
		s.t.Fatalf("the log has %q %d times; want %d", text, s.logged(text), n)
	}
}

// status is what `sendwrap status -json` prints.
type status struct {
	Sessions sessions
	Verdicts map[string]int
	Open     struct{ Stopped, Held, Crowded int }
}

type sessions struct{ Waiting, Serving int }

// waitSessions waits until the ledger counts exactly these sessions.
func (s *server) waitSessions(want sessions) {
	s.t.Helper()
	if !lab.Await(func() bool { return s.status().Sessions == want }) {
		s.t.Fatalf("the ledger counts %+v; want %+v", s.status(), want)
	}
}

func (s *server) status() (st status) {
	s.t.Helper()
	var output string
	if !lab.Await(func() bool { // it may fail while many others use the ledger
		out, err := exec.Command(s.program, "status", "-f", s.file("conf"),
			"-json").CombinedOutput()
		output = string(out)
		return err == nil && json.Unmarshal(out, &st) == nil
	}) {
		s.t.Fatalf("sendwrap status: %s", output)
	}
	return st
}

// strangers counts the addresses handed out by stranger.
var strangers atomic.Uint32
