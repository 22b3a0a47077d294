package exec

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"os/signal"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// room does what package room does with this package.
func (s *setup) room() {
	const control = 4
	out := os.NewFile(control, "control")
	report := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	signals := make(chan os.Signal, 100)
	if s.Notify {
		signal.Notify(signals, roomSignals...)
	}
	client := 3
	if s.ClientAt != 0 {
		fd, err := unix.FcntlInt(uintptr(client), unix.F_DUPFD_CLOEXEC, s.ClientAt)
		must(err)
		must(unix.Close(client))
		client = fd
	}
	stdio, err := TakeStdio()
	must(err)
	CloseOnExec()
	report("ready, client at %d", client)
	must(poll(client))
	argv := s.Argv
	if len(argv) == 0 {
		argv = []string{catPath()}
	}
	environ := append(os.Environ(), stdioSeen(stdio))
	for range s.Failures {
		pid, err := stdio.Spawn([]string{"/nonexistent/mta"}, environ, client, someEnds)
		if pid != 0 || err == nil {
			panic(fmt.Sprintf("a program that is missing has pid %d, %v", pid, err))
		}
	}
	pid, err := stdio.Spawn(argv, environ, client, someEnds)
	must(unix.Close(client))
	if err != nil {
		report("%v", err)
	} else {
		report("%d", pid)
	}
	for {
		select {
		case sig := <-signals:
			report("%v", sig)
		case <-time.After(lab.Patience):
			panic("the test does not end this process")
		}
	}
}

// roomSignals are those that a room handles.
var roomSignals = []os.Signal{unix.SIGHUP, unix.SIGTERM, unix.SIGINT, unix.SIGUSR2, unix.SIGCHLD}

// testRoom is a room with one client. The process of its session is the room.
type testRoom struct {
	*session
	control *bufio.Reader
}

// files are fds 0, 1 and 2 of a room. nil is /dev/null.
type files struct{ stdin, stdout, stderr *os.File }

// startRoom starts a room that waits for its client's first byte.
func startRoom(t *testing.T, s setup, f files) *testRoom {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.Room = true
	arg, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	client, server := connect(t)
	dup, err := unix.FcntlInt(uintptr(server), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	socket := os.NewFile(uintptr(dup), "client")
	defer socket.Close()
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := osexec.Command(self)
	cmd.Env = append(os.Environ(), roleName+"=prepare "+string(arg))
	cmd.ExtraFiles = []*os.File{socket, theirs}
	if f.stdin != nil {
		cmd.Stdin = f.stdin
	}
	if f.stdout != nil { // a nil *os.File in an io.Writer is not nil
		cmd.Stdout = f.stdout
	}
	if f.stderr != nil {
		cmd.Stderr = f.stderr
	}
	err = cmd.Start()
	theirs.Close() // when the room ends, reading ends
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(lab.Patience)
	client.SetDeadline(deadline)
	ours.SetReadDeadline(deadline)
	r := &testRoom{control: bufio.NewReader(ours)}
	r.session = &session{t: t, pid: cmd.Process.Pid, client: client, lines: bufio.NewReader(client),
		server: server, cmd: cmd}
	t.Cleanup(func() {
		client.Close()
		unix.Shutdown(server, unix.SHUT_RDWR) // ends the MTA, which is no child of the test
		cmd.Process.Kill()
		cmd.Wait()
		ours.Close()
	})
	at := max(s.ClientAt, 3)
	if got, want := r.report(), fmt.Sprintf("ready, client at %d", at); got != want {
		t.Fatalf("the room reports %q; want %q", got, want)
	}
	return r
}

// report is the next line from the room.
func (r *testRoom) report() string {
	r.t.Helper()
	text, err := r.control.ReadString('\n')
	if err != nil {
		r.t.Fatalf("the room reports %q: %v", text, err)
	}
	return strings.TrimSuffix(text, "\n")
}

// spawn makes the room go on, and returns the MTA when it echoes.
func (r *testRoom) spawn() *session {
	r.t.Helper()
	r.send("first\n")
	text := r.report()
	pid, err := strconv.Atoi(text)
	if err != nil {
		r.t.Fatalf("the room reports %q; want a pid", text)
	}
	mta := *r.session
	mta.pid = pid
	if got := mta.line(); got != "first" {
		r.t.Fatalf("the MTA wrote %q; want what the client has sent before", got)
	}
	mta.becomeMTA()
	return &mta
}
