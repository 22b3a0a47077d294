package try

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// -listen serves until a signal ends it.
func TestListen(t *testing.T) {
	s := tryListening(t)
	conn := s.slam("127.0.0.1")
	const want = ": exit status 0"
	if got := s.line(conn.LocalAddr().String()); !strings.HasSuffix(got, want) {
		t.Errorf("%q; want it to end in %q", got, want)
	}
	s.logs(": PREGREET client=[127.0.0.1]:")
	if text := s.status(); !strings.Contains(text, "PREGREET                1  1\n") {
		t.Errorf("status:\n%s", text)
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("%v; want exit status 0", err)
	}
	nothingLeft(t, s.tmp)
}

// A file with errors is served, and the exit status is 100.
func TestListenToWrongFile(t *testing.T) {
	file := write(t, "no_such_line 1\nmta "+built()+" try -mta\n")
	s := tryListening(t, "-f", file)
	s.logs("no_such_line")
	s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); s.cmd.ProcessState.ExitCode() != 100 {
		t.Errorf("%v; want exit status 100\n%s", err, s.log)
	}
	nothingLeft(t, s.tmp)
}

// listening is a try -listen, and the end of its output.
type listening struct {
	*testing.T
	tmp   string
	cmd   *exec.Cmd
	in    *bufio.Scanner
	log   *syncBuffer
	where string   // its second line: super-server or room
	guard string   // the line about it; "" if it has none
	port  string   // at 127.0.0.1
	asks  []string // for its status
}

func tryListening(t *testing.T, args ...string) *listening {
	t.Helper()
	program := built()
	s := &listening{T: t, tmp: tempDir(t), log: new(syncBuffer)}
	s.cmd = exec.Command(program, append([]string{"try", "-listen", ":0"}, args...)...)
	s.cmd.Env = append(os.Environ(), "TMPDIR="+s.tmp)
	s.cmd.Stderr = s.log
	s.cmd.WaitDelay = ample // an MTA that outlives it has our pipe
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	killer := time.AfterFunc(2*ample, func() { s.cmd.Process.Kill() })
	t.Cleanup(func() { killer.Stop() })
	s.in = bufio.NewScanner(out)
	s.line("MTA ")
	s.where = s.line("")
	rest := s.line("")
	if strings.HasPrefix(rest, "guard ") {
		s.guard = strings.Join(strings.Fields(rest), " ")
	}
	s.port = strings.Fields(s.line("nc 127.0.0.1 "))[2]
	s.asks = strings.Fields(s.line(program + " status -f "))
	return s
}

// line returns the next line with that beginning.
func (s *listening) line(beginning string) string {
	s.Helper()
	for s.in.Scan() {
		if strings.HasPrefix(s.in.Text(), beginning) {
			return s.in.Text()
		}
	}
	s.Fatalf("no line that begins with %q; log %q", beginning, s.log)
	return ""
}

// dial connects from an address.
func (s *listening) dial(from string) net.Conn {
	s.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: ample}
	conn, err := d.Dial("tcp", net.JoinHostPort("127.0.0.1", s.port))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(ample))
	return conn
}

// slam connects, speaks before the greeting, and is refused.
func (s *listening) slam(from string) net.Conn {
	s.Helper()
	conn := s.dial(from)
	io.WriteString(conn, "EHLO early\r\n")
	if reply, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(reply, []byte("554 5.5.1 ")) {
		s.Errorf("reply %q, %v; want 554 5.5.1", reply, err)
	}
	return conn
}

// logs waits for a text in the log.
func (s *listening) logs(want string) {
	s.Helper()
	for deadline := time.Now().Add(ample); !strings.Contains(s.log.String(), want); {
		if time.Now().After(deadline) {
			s.Fatalf("log %q; want %q", s.log, want)
		}
		time.Sleep(time.Millisecond) // os/exec copies it
	}
}

// status is the output of the status command in the hints.
func (s *listening) status(args ...string) string {
	s.Helper()
	text, err := exec.Command(s.asks[0], append(s.asks[1:], args...)...).CombinedOutput()
	if err != nil {
		s.Errorf("status: %v\n%s", err, text)
	}
	return string(text)
}

// syncBuffer is a bytes.Buffer that may be read while os/exec writes to it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
