package maillog

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// inTime fails if do takes much longer than a log may wait.
func inTime(t *testing.T, do func()) {
	t.Helper()
	lab.InTime(t, "the log", Patience+10*time.Millisecond, func(w *lab.Waits) { w.Measure(do) })
}

// listen makes a log socket and returns it with its path.
func listen(t testing.TB, kind int) (fd int, path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "log") // t.TempDir() may be too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "log")
	fd = listenAt(t, kind, path)
	t.Cleanup(func() { unix.Close(fd) })
	return fd, path
}

// listenAt makes a log socket at path, which the caller closes.
func listenAt(t testing.TB, kind int, path string) (fd int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if kind == unix.SOCK_STREAM {
		if err := unix.Listen(fd, 0); err != nil {
			t.Fatal(err)
		}
	}
	return fd
}

// receive returns what came as one datagram, or as one connection.
func receive(t *testing.T, fd, kind int) string {
	t.Helper()
	if kind == unix.SOCK_STREAM {
		conn, _, err := unix.Accept(fd)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(conn), "")
		defer f.Close()
		data, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	buf := make([]byte, 2*MaxFrame)
	n, err := unix.Read(fd, buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestNoFreeDescriptor(t *testing.T) {
	fd, path := listen(t, unix.SOCK_DGRAM)
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: lim.Max}); err != nil {
		t.Fatal(err)
	}
	err := Syslog(path).Write(Info, "PASS")
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, unix.EMFILE) {
		t.Errorf("Write: %v; want EMFILE", err)
	}
	if err := Syslog(path).Write(Info, "PASS"); err != nil {
		t.Errorf("once more: %v", err)
	}
	receive(t, fd, unix.SOCK_DGRAM)
}

func TestWriteAs(t *testing.T) {
	fd, path := listen(t, unix.SOCK_DGRAM)
	r, w := pipe(t)
	withStderr(t, w, func() {
		socket, stderr := NewQueue(Syslog(path)), NewQueue(Stderr())
		defer socket.Close()
		defer stderr.Close()
		for _, log := range []Log{Syslog(path), Stderr(), socket.Log(), stderr.Log()} {
			if err := log.WriteAs(4243, Warning, "PASS"); err != nil {
				t.Error(err)
			}
		}
	})
	for range 2 {
		if got, want := receive(t, fd, unix.SOCK_DGRAM), "<20>sendwrap[4243]: PASS"; got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	w.Close()
	got, err := io.ReadAll(r)
	if want := strings.Repeat("sendwrap[4243]: PASS\n", 2); string(got) != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestNone(t *testing.T) {
	r, w := pipe(t)
	withStderr(t, w, func() {
		for _, l := range []Log{None(), {}} {
			if err := l.Write(Err, "PASS"); err != nil {
				t.Error(err)
			}
		}
	})
	w.Close()
	if data, err := io.ReadAll(r); len(data) > 0 || err != nil {
		t.Errorf("read %q, %v; want nothing", data, err)
	}
}

// A line makes four allocations: its text, the string, the frame and the address of the socket.
func TestAllocations(t *testing.T) {
	fd, path := listen(t, unix.SOCK_DGRAM)
	log := Syslog(path)
	buf := make([]byte, MaxFrame)
	data := []byte("EHLO bot\r\n")
	got := testing.AllocsPerRun(100, func() {
		log.Write(Info, benchLine(data))
		unix.Read(fd, buf)
	})
	if got > 5 {
		t.Errorf("%v allocations; want 5 at most", got)
	}
	t.Logf("%v allocations", got)
}

// One socket for each line, and reading it. Compare with BenchmarkQueue.
func BenchmarkSyslog(b *testing.B) {
	fd, path := listen(b, unix.SOCK_DGRAM)
	log := Syslog(path)
	buf := make([]byte, MaxFrame)
	b.ReportAllocs()
	for b.Loop() {
		log.Write(Info, benchText)
		unix.Read(fd, buf)
	}
}

const benchText = `PREGREET client=[192.0.2.9]:51544 server=[198.51.100.5]:25 wait=0.02s/6s ` +
	`conns=1/50 strikes=2/3 reply=554 kind=ehlo bytes=10 data="EHLO bot\r\n"`

func BenchmarkLine(b *testing.B) {
	data := []byte("EHLO bot\r\n")
	for b.Loop() {
		_ = benchLine(data)
	}
}

func benchLine(data []byte) string {
	return NewLine("PREGREET").DurOf("wait", 1, 6*time.Second).
		Int("reply", 554).Data("data", data).String()
}
