// Package room holds a real sendwrap, serving many clients in one process, to its promises under load: thousands that wait,
// floods, signals in the midst of them. Clients come from all over 127/8, so that neither root nor a network is needed.
package room

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var sendwrap string // the program tested

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "mta" {
		mta()
	}
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sendwrap-room")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	sendwrap = filepath.Join(dir, "sendwrap")
	cmd := exec.Command("go", "build", "-trimpath", "-o", sendwrap, "sendwrap")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if raceDetector {
		cmd = exec.Command("go", "build", "-race", "-o", sendwrap, "sendwrap")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %v\n%s", cmd, err, out)
		return 1
	}
	return m.Run()
}

// mta is the MTA: it greets, and ends when its client says or does anything.
func mta() {
	syscall.Write(1, []byte("220 mx.test ready\r\n"))
	var b [512]byte
	syscall.Read(0, b[:])
	syscall.Write(1, []byte("221 bye\r\n"))
	syscall.Exit(0)
}

// server is a running sendwrap.
type server struct {
	t    *testing.T
	dir  string
	addr netip.AddrPort
	cmd  *exec.Cmd
	done chan error
	log  string // the file
}

// serve starts sendwrap with these directives on a port of its own.
func serve(t *testing.T, conf string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir()}
	program, err := os.Executable()
	if err == nil {
		err = os.Symlink(program, s.file("mta"))
	}
	if err == nil {
		err = os.Mkdir(s.file("state"), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.log = s.file("log")
	t.Cleanup(func() {
		if n := s.logged("DATA RACE"); n > 0 {
			text, _ := os.ReadFile(s.log)
			t.Errorf("%d data races in the room:\n%.4000s", n, text[bytes.Index(text, []byte("WARNING: DATA RACE")):])
		}
	})
	s.configure(conf)
	s.addr = freePort(t)
	s.start()
	return s
}

func (s *server) file(name string) string { return filepath.Join(s.dir, name) }

func (s *server) configure(conf string) {
	s.t.Helper()
	text := fmt.Sprintf("mta %s\nledger %s clients=65536\nlog stderr\n%s", s.file("mta"), s.file("state/ledger"), conf)
	if err := os.WriteFile(s.file("conf"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) start() {
	t := s.t
	t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(sendwrap, "listen", "-f", s.file("conf"), s.addr.String())
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	s.cmd, s.done = cmd, done
	t.Cleanup(func() { cmd.Process.Kill() })
	eventually(t, "the room listens", func() bool {
		c, err := net.Dial("tcp", s.addr.String())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the room to end well.
func (s *server) ends() {
	s.t.Helper()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Errorf("the room ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		s.t.Fatal("the room does not end")
	}
}

// logged counts the lines of the log in which this stands.
func (s *server) logged(text string) int {
	b, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	return bytes.Count(b, []byte(text))
}

func (s *server) sees(text string) {
	s.t.Helper()
	eventually(s.t, "the log says "+text, func() bool { return s.logged(text) > 0 })
}

// status is what `sendwrap status -json` says.
type status struct {
	Sessions struct{ Waiting, Serving int }
	Verdicts map[string]int
}

func (s *server) status() (st status) {
	s.t.Helper()
	out, err := exec.Command(sendwrap, "status", "-f", s.file("conf"), "-json").Output()
	if err == nil {
		err = json.Unmarshal(out, &st)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

// cpu is the processor time that the room has used so far.
func (s *server) cpu() (sum time.Duration) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	for _, name := range tasks {
		text, _ := os.ReadFile(name)
		ns, _ := strconv.ParseInt(strings.Fields(string(text) + " 0")[0], 10, 64)
		sum += time.Duration(ns)
	}
	return sum
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// strangers are addresses that no client had before.
var strangers atomic.Uint32

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func stranger() netip.Addr {
	n := strangers.Add(1)
	return netip.AddrFrom4([4]byte{127, 64 + byte(n>>16), byte(n >> 8), byte(n)})
}

// dial connects from an address, and sends RST when it is closed, to leave no port behind.
func (s *server) dial(from netip.Addr) (*net.TCPConn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: 10 * time.Second, ControlContext: nil}
	c, err := d.Dial("tcp", s.addr.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// hears is what comes from the room within the time, up to a line's end.
func hears(c net.Conn, within time.Duration) string {
	c.SetReadDeadline(time.Now().Add(within))
	var text []byte
	b := make([]byte, 512)
	for !bytes.Contains(text, []byte("\n")) {
		n, err := c.Read(b)
		text = append(text, b[:n]...)
		if err != nil {
			break
		}
	}
	return string(text)
}

// enough skips a test, or fails it where nothing may be skipped, if so many descriptors are not to be had.
func enough(t *testing.T, descriptors uint64) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Max < descriptors {
		why := fmt.Sprintf("RLIMIT_NOFILE is %d; want %d", limit.Max, descriptors)
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
}
