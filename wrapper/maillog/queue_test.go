package maillog

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// A reader is the syslogd of a test. It reads only when told to.
type reader struct {
	t    *testing.T
	kind int
	fd   int    // the socket, or the listener
	conn int    // the connection of a stream, or -1
	part string // of a line, at the end of the stream so far
}

func newReader(t *testing.T, kind int, path string) *reader {
	t.Helper()
	return &reader{t: t, kind: kind, fd: listenAt(t, kind, path), conn: -1}
}

// read returns what lines there are, and their texts only: the number of a line, or what was lost.
func (r *reader) read() (texts []string) {
	r.t.Helper()
	buf := make([]byte, 64<<10)
	for r.accept() {
		fd := r.fd
		if r.kind == unix.SOCK_STREAM {
			fd = r.conn
		}
		n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		if err != nil {
			break
		}
		lines := []string{string(buf[:n])}
		if r.kind == unix.SOCK_STREAM {
			if n == 0 {
				unix.Close(r.conn)
				r.conn = -1
				continue
			}
			lines = strings.Split(r.part+lines[0], "\x00")
			r.part = lines[len(lines)-1]
			lines = lines[:len(lines)-1]
		}
		for _, line := range lines {
			texts = append(texts, textOf(r.t, line))
		}
	}
	return texts
}

// accept is whether there is a connection, or none needed.
func (r *reader) accept() bool {
	if r.kind == unix.SOCK_DGRAM || r.conn >= 0 {
		return true
	}
	if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}, 0); n == 0 {
		return false
	}
	var err error
	if r.conn, _, err = unix.Accept(r.fd); err != nil {
		r.t.Fatal(err)
	}
	return true
}

func (r *reader) close() {
	unix.Close(r.fd)
	if r.conn >= 0 {
		unix.Close(r.conn)
	}
}

// textOf returns a line without its head and without what fills it up.
func textOf(t *testing.T, line string) string {
	t.Helper()
	_, text, ok := strings.Cut(line, fmt.Sprintf("sendwrap[%d]: ", os.Getpid()))
	if !ok {
		t.Fatalf("garbled: %q", line)
	}
	return strings.TrimRight(text, " x")
}

// numbers are the texts of lines from to to, less the last.
func numbers(from, to int) (texts []string) {
	for i := from; i < to; i++ {
		texts = append(texts, strconv.Itoa(i))
	}
	return texts
}

// same compares texts, and shows the first that differs.
func same(t *testing.T, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("line %d of %d is %q; want %q", i, len(got), got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines; want %d", len(got), len(want))
	}
}

// dir is a directory for a socket.
func dir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// filler makes a line of some 150 bytes, as ours are.
var filler = " " + strings.Repeat("x", 120)

// kinds runs a test with a syslogd of each kind.
func kinds(t *testing.T, test func(t *testing.T, kind int, path string)) {
	for name, kind := range map[string]int{"datagram": unix.SOCK_DGRAM,
		"stream": unix.SOCK_STREAM} {
		t.Run(name, func(t *testing.T) { test(t, kind, filepath.Join(dir(t), "log")) })
	}
}

// settle flushes until nothing is pending, and reads meanwhile.
func settle(t *testing.T, q *Queue, read func() []string) (texts []string) {
	t.Helper()
	for deadline := time.Now().Add(lab.Patience); ; {
		pending := q.Flush() > 0
		texts = append(texts, read()...)
		if !pending {
			return texts
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %d bytes pending after %d lines", q.waiting.len, len(texts))
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// A syslogd that is slower than we are, for a while, gets every line in its order.
func TestQueueOrder(t *testing.T) {
	kinds(t, func(t *testing.T, kind int, path string) {
		r := newReader(t, kind, path)
		defer r.close()
		q := NewQueue(Syslog(path))
		defer q.Close()
		const lines = 2000 // half of them wait until somebody reads
		begin, done := make(chan struct{}), make(chan struct{})
		var got []string
		go func() {
			defer close(done)
			<-begin
			for deadline := time.Now().Add(lab.Patience); len(got) < lines &&
				time.Now().Before(deadline); {
				got = append(got, r.read()...)
				time.Sleep(200 * time.Microsecond)
			}
		}()
		log := q.Log()
		for i := range lines {
			if err := log.Write(Info, strconv.Itoa(i)); err != nil {
				t.Fatal(i, err)
			}
			if i == lines/2 {
				if kind == unix.SOCK_DGRAM && q.waiting.len == 0 {
					t.Error("no line waits for the reader: nothing is tested")
				}
				close(begin)
			}
			if i%64 == 63 {
				q.Flush()
				time.Sleep(50 * time.Microsecond)
			}
		}
		settle(t, q, func() []string { return nil })
		<-done
		same(t, got, numbers(0, lines))
	})
}
