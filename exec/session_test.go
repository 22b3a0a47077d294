package exec

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// session is a wrapper with a client, and later its MTA.
type session struct {
	t      *testing.T
	pid    int
	client net.Conn
	lines  *bufio.Reader
	server int // our copy of the server's end, the same open file description as the MTA's fd 0
	cmd    *osexec.Cmd
}

// fds are fds 1 and 2 of a session, and its working directory. fd 0 is the client's socket, and so
// is a nil file.
type fds struct {
	stdout, stderr *os.File
	dir            string
}

// start starts a wrapper that waits for the client's first byte.
func start(t *testing.T, s setup, f fds) *session {
	t.Helper()
	client, server := connect(t)
	return startOn(t, s, f, client, server)
}

func startOn(t *testing.T, s setup, f fds, client net.Conn, server int) *session {
	t.Helper()
	ses := launch(t, s, f, client, server)
	if got := ses.line(); got != "ready" {
		t.Fatalf("the wrapper wrote %q; want ready", got)
	}
	return ses
}

// launch starts a wrapper that may fail.
func launch(t *testing.T, s setup, f fds, client net.Conn, server int) *session {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	arg, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	dup, err := unix.FcntlInt(uintptr(server), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	stdin := os.NewFile(uintptr(dup), "client")
	defer stdin.Close()
	cmd := osexec.Command(self)
	cmd.Env = append(os.Environ(), roleName+"=prepare "+string(arg))
	cmd.Dir = f.dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdin, stdin
	if f.stdout != nil {
		cmd.Stdout = f.stdout
	}
	if f.stderr != nil {
		cmd.Stderr = f.stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client.SetDeadline(time.Now().Add(lab.Patience))
	ses := &session{t: t, pid: cmd.Process.Pid, client: client, lines: bufio.NewReader(client),
		server: server, cmd: cmd}
	t.Cleanup(func() {
		client.Close()
		unix.Shutdown(server, unix.SHUT_RDWR)
		cmd.Process.Kill()
		cmd.Wait()
	})
	return ses
}

// connect makes a TCP connection over loopback. The server's end is a descriptor in blocking mode
// and with Nagle's algorithm, as super-servers pass it. A net.Conn has neither.
func connect(t *testing.T) (client net.Conn, server int) {
	t.Helper()
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(l)
	if err := unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(l, 1); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(l)
	if err != nil {
		t.Fatal(err)
	}
	client, err = net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(name.(*unix.SockaddrInet4).Port))
	if err != nil {
		t.Fatal(err)
	}
	server, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); unix.Close(server) })
	return client, server
}

// becomeMTA makes the wrapper go on, and returns when the MTA echoes.
func (s *session) becomeMTA() {
	s.t.Helper()
	s.send("hello\n")
	if got := s.line(); got != "hello" {
		s.t.Fatalf("the MTA wrote %q; want hello", got)
	}
	if got := s.read("comm"); got != "cat\n" {
		s.t.Fatalf("process %d is %q; want cat", s.pid, got)
	}
}

func (s *session) send(text string) {
	s.t.Helper()
	if _, err := s.client.Write([]byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// rest is what the client reads after the process has ended.
func (s *session) rest() string {
	s.t.Helper()
	s.cmd.Wait()
	unix.Shutdown(s.server, unix.SHUT_RDWR) // the test's copy of the socket would keep it open
	text, err := io.ReadAll(s.lines)
	if err != nil && !errors.Is(err, unix.ECONNRESET) { // the process has left bytes unread
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *session) line() string {
	s.t.Helper()
	text, err := s.lines.ReadString('\n')
	if err != nil {
		s.t.Fatalf("the client read %q: %v", text, err)
	}
	return strings.TrimSuffix(text, "\n")
}

// read returns a file of /proc about the process.
func (s *session) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.pid, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

func (s *session) link(name string) string {
	s.t.Helper()
	target, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", s.pid, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return target
}

// field returns the line after name in a file of /proc, with single blanks.
func (s *session) field(file, name string) string {
	s.t.Helper()
	for line := range strings.Lines(s.read(file)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	s.t.Fatalf("no %q in /proc/%d/%s", name, s.pid, file)
	return ""
}

// fds returns the numbers of the open descriptors.
func (s *session) fds() []string {
	s.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// variables returns the environment of the process. A variable that occurs twice is an error.
func (s *session) variables() map[string]string {
	s.t.Helper()
	vars := make(map[string]string)
	for entry := range strings.SplitSeq(strings.TrimSuffix(s.read("environ"), "\x00"), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		if _, twice := vars[name]; twice {
			s.t.Errorf("%s occurs twice in the environment", name)
		}
		vars[name] = value
	}
	return vars
}
