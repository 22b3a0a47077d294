package maillog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// inTime wants do to take what a log may take, and a little more.
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

func TestSyslog(t *testing.T) {
	head := func(pri int) string { return fmt.Sprintf("<%d>sendwrap[%d]: ", pri, os.Getpid()) }
	long := strings.Repeat("x", 2*MaxFrame)
	tests := []struct {
		name  string
		level Level
		text  string
		want  string
	}{
		{"info", Info, `PASS client=[192.0.2.1]:1 wait=6.00s/6s`, head(22) + `PASS client=[192.0.2.1]:1 wait=6.00s/6s`},
		{"warning", Warning, "ledger: no space left on device", head(20) + "ledger: no space left on device"},
		{"error", Err, "", head(19)},
		{"not one line", Info, "PASS\n<16>sshd[1]: Accepted\x00\xe9", head(22) + `PASS\x0a<16>sshd[1]: Accepted\x00\xe9`},
		{"too long", Info, long, (head(22) + long)[:MaxFrame]},
	}
	for _, kind := range []int{unix.SOCK_DGRAM, unix.SOCK_STREAM} {
		fd, path := listen(t, kind)
		for _, tt := range tests {
			t.Run(fmt.Sprint(tt.name, kind), func(t *testing.T) {
				if err := Syslog(path).Write(tt.level, tt.text); err != nil {
					t.Fatal(err)
				}
				want := tt.want
				if kind == unix.SOCK_STREAM {
					want += "\x00"
				}
				if got := receive(t, fd, kind); got != want {
					t.Errorf("\n got %q\nwant %q", got, want)
				}
			})
		}
	}
}

func TestSyslogLeavesNothingOpen(t *testing.T) {
	fd, path := listen(t, unix.SOCK_STREAM)
	before := openFiles(t)
	if err := Syslog(path).Write(Info, "PASS"); err != nil {
		t.Fatal(err)
	}
	Syslog(path+"x").Write(Info, "PASS")
	if after := openFiles(t); after != before {
		t.Errorf("%d files open; %d before", after, before)
	}
	receive(t, fd, unix.SOCK_STREAM)
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A log that nobody reads: lines fit until there is no room, and then cost their patience and no more.
func TestSyslogFull(t *testing.T) {
	for _, kind := range []int{unix.SOCK_DGRAM, unix.SOCK_STREAM} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			_, path := listen(t, kind)
			fill(t, path)
			inTime(t, func() {
				if err := Syslog(path).Write(Info, "PASS"); !errors.Is(err, unix.EAGAIN) {
					t.Errorf("Write: %v; want EAGAIN", err)
				}
			})
		})
	}
}

// fill writes until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	for range 100_000 {
		if err := Syslog(path).Write(Info, strings.Repeat("x", MaxFrame)); err != nil {
			return
		}
	}
	t.Fatal("a queue that nobody reads is never full")
}

// A log that is read again within the patience loses nothing. On a busy machine the reader may be
// late, or the writer may begin late: then once more.
func TestSyslogWaits(t *testing.T) {
	fd, path := listen(t, unix.SOCK_DGRAM)
	lab.Eventually(t, "the log is read within the patience", func() bool {
		fill(t, path)
		read := make(chan time.Time)
		began := time.Now()
		go func() {
			time.Sleep(time.Millisecond)
			unix.Read(fd, make([]byte, MaxFrame))
			read <- time.Now()
		}()
		err := Syslog(path).Write(Info, "PASS")
		inTime := (<-read).Sub(began) < Patience
		if err != nil && inTime {
			t.Fatalf("Write does not wait for the reader: %v", err)
		}
		return inTime
	})
}

func TestSyslogAway(t *testing.T) {
	_, closed := listen(t, unix.SOCK_DGRAM)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dead := func() string {
		fd, path := listen(t, unix.SOCK_DGRAM)
		unix.Shutdown(fd, unix.SHUT_RDWR)
		unix.Close(fd)
		// The number is free again: let nobody close another's file at the end.
		unix.Dup3(0, fd, unix.O_CLOEXEC)
		return path
	}()
	tests := []struct {
		name, path string
		want       error
	}{
		{"missing", closed + "x", unix.ENOENT},
		{"a regular file", file, unix.ECONNREFUSED},
		{"a directory", filepath.Dir(file), unix.ECONNREFUSED},
		{"nobody listens", dead, unix.ECONNREFUSED},
		{"too long for a socket", "/" + strings.Repeat("x", 200), unix.EINVAL},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Syslog(tt.path).Write(Info, "PASS")
			var sysErr *os.SyscallError
			if !errors.Is(err, tt.want) || !errors.As(err, &sysErr) {
				t.Errorf("Write: %v; want %v", err, tt.want)
			}
		})
	}
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

// withStderr runs do with w as fd 2.
func withStderr(t *testing.T, w *os.File, do func()) {
	t.Helper()
	saved, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(saved)
	if err := unix.Dup3(int(w.Fd()), 2, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Dup3(saved, 2, 0)
	do()
}

// pipe is a pipe in blocking mode, as a super-server's log is.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w = os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
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

func TestStderr(t *testing.T) {
	r, w := pipe(t)
	long := strings.Repeat("x", 2*MaxFrame)
	withStderr(t, w, func() {
		if err := Stderr().Write(Info, "PASS\n"); err != nil {
			t.Error(err)
		}
		if err := Stderr().Write(Err, long); err != nil {
			t.Error(err)
		}
	})
	buf := make([]byte, 4*MaxFrame)
	n, err := r.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	head := fmt.Sprintf("sendwrap[%d]: ", os.Getpid())
	if got, want := string(buf[:n]), head+`PASS\x0a`+"\n"+(head + long)[:MaxFrame]+"\n"; got != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestStderrFull(t *testing.T) {
	_, w := pipe(t)
	withStderr(t, w, func() {
		lines := 0
		for Stderr().Write(Info, "PASS") == nil {
			if lines++; lines > 100_000 {
				t.Fatal("a pipe that nobody reads is never full")
			}
		}
		inTime(t, func() {
			if err := Stderr().Write(Info, "PASS"); !errors.Is(err, unix.EAGAIN) {
				t.Errorf("Write: %v; want EAGAIN", err)
			}
		})
		if flags, err := unix.FcntlInt(2, unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("flags of fd 2 are %#x, %v; want them untouched", flags, err)
		}
	})
}

// os.Stderr would kill the process with SIGPIPE here.
func TestStderrLeft(t *testing.T) {
	r, w := pipe(t)
	r.Close()
	withStderr(t, w, func() {
		if err := Stderr().Write(Info, "PASS"); !errors.Is(err, unix.EPIPE) {
			t.Errorf("Write: %v; want EPIPE", err)
		}
	})
}

func TestStderrClosed(t *testing.T) {
	_, w := pipe(t)
	withStderr(t, w, func() {
		unix.Close(2)
		if err := Stderr().Write(Info, "PASS"); !errors.Is(err, unix.EBADF) {
			t.Errorf("Write: %v; want EBADF", err)
		}
	})
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

// A line costs its text, the string of it, the frame, and the address of the socket.
func TestAllocations(t *testing.T) {
	fd, path := listen(t, unix.SOCK_DGRAM)
	log := Syslog(path)
	buf := make([]byte, MaxFrame)
	data := []byte("EHLO bot\r\n")
	got := testing.AllocsPerRun(100, func() {
		log.Write(Info, NewLine("PREGREET").DurOf("wait", 1, 6*time.Second).Int("reply", 554).Data("data", data).String())
		unix.Read(fd, buf)
	})
	if got > 5 {
		t.Errorf("%v allocations; want 5 at most", got)
	}
	t.Logf("%v allocations", got)
}

// One socket a line, and the reading of it: BenchmarkQueue is the other way.
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

const benchText = `PREGREET client=[192.0.2.9]:51544 server=[198.51.100.5]:25 wait=0.02s/6s conns=1/50 strikes=2/3 reply=554 kind=ehlo bytes=10 data="EHLO bot\r\n"`

func BenchmarkLine(b *testing.B) {
	data := []byte("EHLO bot\r\n")
	for b.Loop() {
		_ = NewLine("PREGREET").DurOf("wait", 1, 6*time.Second).Int("reply", 554).Data("data", data).String()
	}
}
