package room

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/exec"
	"sendwrap/tests/lab"
	"sendwrap/wrapper"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// The test's program is also the program that a room asks whether it can take over, and the process
// that stops while it holds a lock.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "version":
			answer()
		case "hold":
			lab.HoldLock(os.Args[2])
		}
	}
	os.Exit(m.Run())
}

// house is a room with a configuration, a ledger and a log. The test runs its loop round by round.
type house struct {
	*room
	t       *testing.T
	dir     string
	addr    string // where it listens
	syslog  int    // the log's other end
	lines   []string
	started bool
}

// build makes a room from lines of sendwrap.conf. Its MTA is the script that [house.script] writes.
// Until begin is called, no MTA is started, and the test finds the jobs in r.mtas.jobs.
func build(t *testing.T, conf string) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	logs, err := os.MkdirTemp("", "log") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(logs) })
	if h.syslog, err = unix.Socket(unix.AF_UNIX,
		unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err == nil {
		err = unix.Bind(h.syslog, &unix.SockaddrUnix{Name: logs + "/log"})
	}
	if err != nil {
		t.Fatal(err)
	}
	h.script("echo 220 ready; read x")
	h.configure(conf)
	fd, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = wrapper.LocalAddr(fd).String()
	h.room, err = newRoom(Options{
		File: h.file("conf"), Sockets: []int{fd}, Stdio: new(exec.Stdio),
		LogTo: func(policy.LogTarget) maillog.Log { return maillog.Syslog(logs + "/log") },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.raze)
	if h.unconfigured != nil || !h.door.Ledger.IsOpen() {
		t.Fatalf("%v; %q", h.unconfigured, h.said())
	}
	return h
}

func (h *house) file(name string) string { return filepath.Join(h.dir, name) }

// script writes the MTA, a shell script.
func (h *house) script(does string) {
	h.t.Helper()
	if err := os.WriteFile(h.file("mta"), []byte("#!/bin/sh\n"+does+"\n"), 0o700); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) configure(conf string) {
	h.t.Helper()
	text := fmt.Sprintf("mta %s\nledger %s clients=1024\n%s", h.file("mta"), h.file("state/ledger"),
		conf)
	if err := os.WriteFile(h.file("conf"), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) begin() {
	h.started = true
	h.room.begin()
}

// silence stops signals from coming to the room.
func (h *house) silence() {
	signal.Stop(h.notices.stops)
	for _, c := range h.notices.others {
		signal.Stop(c)
	}
}

// raze leaves no signal, no MTA and no connection for the next test.
func (h *house) raze() {
	h.silence()
	for h.started && h.mtas.starting > 0 {
		_, _ = h.poller.wait(time.Second)
		h.notices.handle()
	}
	if h.started {
		close(h.mtas.jobs)
	}
	for pid := range h.mtas.running {
		if pid != os.Getpid() {
			_ = unix.Kill(pid, unix.SIGKILL)
			_, _ = unix.Wait4(pid, nil, 0, nil)
		}
	}
	for fd, c := range h.clients {
		if c != nil {
			unix.Close(fd)
		}
	}
	for _, l := range h.listeners {
		unix.Close(l.fd)
	}
	h.closeEnforce()
	unix.Close(h.poller.fd)
	unix.Close(h.reserve)
	h.log.Close()
	unix.Close(h.syslog)
	if h.door.Ledger.IsOpen() {
		_ = h.door.Ledger.Ledger.Close()
	}
}

// round runs one round of the loop, which ends soon even if nothing happens.
func (h *house) round() {
	h.t.Helper()
	const longest = 10 * time.Millisecond
	pause := h.pause()
	if pause < 0 || pause > longest {
		pause = longest
	}
	if err := h.room.round(pause); err != nil {
		h.t.Fatal(err)
	}
	h.said()
}

// until runs rounds until done returns true.
func (h *house) until(what string, done func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(lab.Patience); !done(); h.round() {
		if time.Now().After(deadline) {
			h.t.Fatalf("never: %s; held %d, turns %d, admitted %d, draining %d, "+
				"starting %d, running %d; log:\n%s", what,
				h.held, h.turns.len, h.admitted.len, h.draining.len,
				h.mtas.starting, len(h.mtas.running), strings.Join(h.lines, "\n"))
		}
	}
}

// said returns the log so far.
func (h *house) said() []string {
	var b [4096]byte
	for {
		again := h.log.Flush()
		n, err := unix.Read(h.syslog, b[:])
		if err == nil {
			_, text, _ := strings.Cut(string(b[:n]), "]: ")
			h.lines = append(h.lines, text)
		} else if again == 0 {
			return h.lines
		}
	}
}

// logged counts the lines of the log that contain all texts.
func (h *house) logged(texts ...string) (n int) {
next:
	for _, line := range h.said() {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue next
			}
		}
		n++
	}
	return n
}

// takeIn has the room decide about a client that the test has accepted.
func (h *house) takeIn(fd int, from syscall.Sockaddr) {
	h.accepted(h.listeners[0], fd, from)
	h.decideArrivals()
}
