package maillog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

func TestSyslog(t *testing.T) {
	head := func(pri int) string { return fmt.Sprintf("<%d>sendwrap[%d]: ", pri, os.Getpid()) }
	long := strings.Repeat("x", 2*MaxFrame)
	tests := []struct {
		name  string
		level Level
		text  string
		want  string
	}{
		{"info", Info, `PASS client=[192.0.2.1]:1 wait=6.00s/6s`,
			head(22) + `PASS client=[192.0.2.1]:1 wait=6.00s/6s`},
		{"warning", Warning, "ledger: no space left on device",
			head(20) + "ledger: no space left on device"},
		{"error", Err, "", head(19)},
		{"not one line", Info, "PASS\n<16>sshd[1]: Accepted\x00\xe9",
			head(22) + `PASS\x0a<16>sshd[1]: Accepted\x00\xe9`},
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

// If nobody reads the log, lines are written until the socket is full. After that each waits for
// Patience and no longer.
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

// If the log is read again within Patience, no line is lost. On a busy machine the reader may be
// late, or the writer may begin late: then the test tries once more.
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
