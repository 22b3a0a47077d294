package maillog

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

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
	want := head + `PASS\x0a` + "\n" + (head + long)[:MaxFrame] + "\n"
	if got := string(buf[:n]); got != want {
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
		lab.InTime(t, "the log", PipePatience+10*time.Millisecond, func(w *lab.Waits) {
			w.Measure(func() {
				if err := Stderr().Write(Info, "PASS"); !errors.Is(err, unix.EAGAIN) {
					t.Errorf("Write: %v; want EAGAIN", err)
				}
			})
		})
		if flags, err := unix.FcntlInt(2, unix.F_GETFL, 0); err != nil ||
			flags&unix.O_NONBLOCK != 0 {
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
