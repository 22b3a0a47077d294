package maillog

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
	for name, kind := range map[string]int{"datagram": unix.SOCK_DGRAM, "stream": unix.SOCK_STREAM} {
		t.Run(name, func(t *testing.T) { test(t, kind, filepath.Join(dir(t), "log")) })
	}
}

// settle flushes until nothing is pending, and reads meanwhile.
func settle(t *testing.T, q *Queue, read func() []string) (texts []string) {
	t.Helper()
	for deadline := time.Now().Add(ample); ; {
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
			for deadline := time.Now().Add(ample); len(got) < lines && time.Now().Before(deadline); {
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

// waits is how often this thread gave up the processor of its own accord, which is what waiting is.
func waits(t *testing.T) int64 {
	t.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		t.Fatal(err)
	}
	return usage.Nvcsw
}

// flood writes lines that nobody reads, and fails if it waited: one wait a thousand lines may be the Go runtime's own.
func flood(t *testing.T, log Log, lines int) (kept int) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	texts := numbers(0, lines)
	for i := range texts {
		texts[i] += filler
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	waited := waits(t)
	for _, text := range texts {
		switch err := log.Write(Info, text); {
		case err == nil:
			kept++
		case !errors.Is(err, unix.EAGAIN):
			t.Fatal(err)
		}
	}
	waited = waits(t) - waited
	runtime.ReadMemStats(&after)
	t.Logf("%d lines, %d kept, waited %d times", lines, kept, waited)
	if waited > int64(lines/1000) {
		t.Errorf("waited %d times for %d lines", waited, lines)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
		t.Errorf("%d lines allocated %d bytes", lines, grown)
	}
	return kept
}

// A log that nobody reads for long: we never wait, keep so much and no more, and say how many lines are missing, where
// they are missing.
func TestQueueFull(t *testing.T) {
	kinds(t, func(t *testing.T, kind int, path string) {
		r := newReader(t, kind, path)
		defer r.close()
		q := NewQueue(Syslog(path))
		defer q.Close()
		fullAndBack(t, q, r.read)
	})
}

func TestQueueStderrFull(t *testing.T) {
	r, w := pipe(t)
	withStderr(t, w, func() {
		q := NewQueue(Stderr())
		defer q.Close()
		fullAndBack(t, q, readPipe(t, r))
		if flags, err := unix.FcntlInt(2, unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("flags of fd 2 are %#x, %v; want them untouched", flags, err)
		}
	})
}

// readPipe reads the lines that there are in a pipe.
func readPipe(t *testing.T, r *os.File) func() []string {
	fd := int(r.Fd())
	part, buf := "", make([]byte, 64<<10)
	return func() (texts []string) {
		for {
			if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0); n == 0 {
				return texts
			}
			n, err := unix.Read(fd, buf)
			if err != nil || n == 0 {
				return texts
			}
			lines := strings.Split(part+string(buf[:n]), "\n")
			part = lines[len(lines)-1]
			for _, line := range lines[:len(lines)-1] {
				texts = append(texts, textOf(t, line))
			}
		}
	}
}

func fullAndBack(t *testing.T, q *Queue, read func() []string) {
	t.Helper()
	const lines = 50_000
	kept := flood(t, q.Log(), lines)
	if q.waiting.len > fifoSize || q.waiting.len < fifoSize-MaxFrame {
		t.Errorf("%d bytes wait; want %d", q.waiting.len, fifoSize)
	}
	if q.Flush() == 0 {
		t.Error("Flush: nothing pending")
	}

	got := settle(t, q, read)
	want := append(numbers(0, kept), fmt.Sprint("log: nobody read it in time; lines lost here: ", lines-kept))
	same(t, got, want)

	for i := range 100 {
		if err := q.Log().Write(Info, strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	same(t, settle(t, q, read), numbers(0, 100))
}

// With a reader who is always too slow no line is out of order, each is there or counted, and there are few counts.
func TestQueueTooSlow(t *testing.T) {
	kinds(t, func(t *testing.T, kind int, path string) {
		r := newReader(t, kind, path)
		defer r.close()
		q := NewQueue(Syslog(path))
		defer q.Close()
		const lines = 30_000
		var got []string
		batch := 4 * socketHolds(t)
		for i := range lines {
			q.Log().Write(Info, strconv.Itoa(i)+filler)
			if i%batch == batch-1 { // and then a quarter of them finds room
				q.Flush()
				got = append(got, r.read()...)
			}
		}
		got = append(got, settle(t, q, r.read)...)

		next, counts := 0, 0
		for _, text := range got {
			if lost, ok := strings.CutPrefix(text, "log: nobody read it in time; lines lost here: "); ok {
				n, err := strconv.Atoi(lost)
				if err != nil {
					t.Fatal(err)
				}
				next += n
				counts++
				continue
			}
			if text != strconv.Itoa(next) {
				t.Fatalf("line %q; want %d", text, next)
			}
			next++
		}
		if next != lines {
			t.Errorf("%d lines there or counted; want %d", next, lines)
		}
		if kind == unix.SOCK_DGRAM && (counts == 0 || counts > 50) {
			t.Errorf("%d counts of lines lost", counts)
		}
	})
}

// socketHolds is how many datagrams a socket takes that nobody reads.
func socketHolds(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/net/unix/max_dgram_qlen")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n + 1
}

// In a long turn of the loop lines look for room on their own.
func TestQueueWithoutFlush(t *testing.T) {
	path := filepath.Join(dir(t), "log")
	r := newReader(t, unix.SOCK_DGRAM, path)
	defer r.close()
	q := NewQueue(Syslog(path))
	defer q.Close()
	next := 0
	for ; q.waiting.len == 0; next++ {
		q.Log().Write(Info, strconv.Itoa(next))
	}
	got := r.read()
	for range flushEvery {
		q.Log().Write(Info, strconv.Itoa(next))
		next++
	}
	if got = append(got, r.read()...); len(got) < next-1 {
		t.Errorf("%d of %d lines have come", len(got), next)
	}
}

// However much there is to send, Flush comes back soon.
func TestQueueFlushIsShort(t *testing.T) {
	path := filepath.Join(dir(t), "log")
	q := NewQueue(Syslog(path))
	defer q.Close()
	for i := range 1000 {
		q.Log().Write(Info, strconv.Itoa(i))
	}
	r := newReader(t, unix.SOCK_STREAM, path) // which has room for all
	defer r.close()
	time.Sleep(reconnectPause)
	if pending, got := q.Flush() > 0, r.read(); !pending || len(got) != flushMax {
		t.Errorf("Flush sent %d lines, pending: %v; want %d, true", len(got), pending, flushMax)
	}
	same(t, settle(t, q, r.read), numbers(0, 1000)[flushMax:])
}

// A syslogd that ends when it has read all, and comes back: nothing is lost.
func TestQueueRestart(t *testing.T) {
	kinds(t, func(t *testing.T, kind int, path string) {
		r := newReader(t, kind, path)
		q := NewQueue(Syslog(path))
		defer q.Close()
		log := q.Log()
		var got []string
		write := func(from, to int) {
			t.Helper()
			for i := from; i < to; i++ {
				if err := log.Write(Info, strconv.Itoa(i)); err != nil {
					t.Fatal(i, err)
				}
			}
		}
		write(0, 300)
		got = append(got, settle(t, q, r.read)...)

		r.close()
		os.Remove(path)
		write(300, 600)
		if q.Flush() == 0 {
			t.Error("nothing pending while syslogd is away")
		}

		r = newReader(t, kind, path)
		write(600, 700)
		got = append(got, settle(t, q, r.read)...)
		time.Sleep(reconnectPause)

		// So fast that no line is written meanwhile.
		r.close()
		os.Remove(path)
		r = newReader(t, kind, path)
		defer func() { r.close() }()
		write(700, 1000)
		got = append(got, settle(t, q, r.read)...)
		same(t, got, numbers(0, 1000))
	})
}

// While nobody is there, lines cost no system calls: they look for somebody ten times a second.
func TestQueueAway(t *testing.T) {
	kinds(t, func(t *testing.T, kind int, path string) {
		q := NewQueue(Syslog(path))
		defer q.Close()
		looked, again, start := 0, q.again, time.Now()
		for i := range 300 {
			if err := q.Log().Write(Info, strconv.Itoa(i)); err != nil {
				t.Fatal(err)
			}
			q.Flush()
			if q.again != again {
				again = q.again
				looked++
			}
			time.Sleep(time.Millisecond)
		}
		if most := int(time.Since(start)/reconnectPause) + 1; looked < 1 || looked > most {
			t.Errorf("looked for a syslogd %d times; want %d at most", looked, most)
		}
		r := newReader(t, kind, path)
		defer r.close()
		same(t, settle(t, q, r.read), numbers(0, 300))
	})
}

// A syslogd may have been replaced while somebody, as its child, holds its socket open: that one is full
// for ever. One that is only slow is not left.
func TestQueueReplaced(t *testing.T) {
	path := filepath.Join(dir(t), "log")
	for deadline := time.Now().Add(ample); !queueReplaced(t, path); os.Remove(path) {
		if time.Now().After(deadline) {
			t.Fatal("this machine is too slow to look at a socket before it counts as stuck")
		}
	}
}

// queueReplaced reports whether it was in time to see that a slow syslogd is not left.
func queueReplaced(t *testing.T, path string) bool {
	old := newReader(t, unix.SOCK_DGRAM, path)
	defer old.close()
	q := NewQueue(Syslog(path))
	defer q.Close()
	lines := 2 * socketHolds(t)
	began := time.Now()
	for i := range lines {
		q.Log().Write(Info, strconv.Itoa(i))
	}
	os.Remove(path)
	r := newReader(t, unix.SOCK_DGRAM, path)
	defer r.close()
	time.Sleep(2 * reconnectPause)
	pending, fd, got := q.Flush() > 0, q.fd, r.read()
	if time.Since(began) > stuckTime {
		return false
	}
	if !pending || fd < 0 || len(got) > 0 {
		t.Fatal("lines go elsewhere because a syslogd is slow")
	}
	q.full = q.full.Add(-stuckTime)
	got = settle(t, q, r.read)
	same(t, append(old.read(), got...), numbers(0, lines))
	return true
}

// A stream may take half of a line. That of a local socket does not, for lines as short as ours: TCP stands in for it.
func TestQueuePartial(t *testing.T) {
	path := filepath.Join(dir(t), "log")
	other := newReader(t, unix.SOCK_STREAM, path)
	defer other.close()
	q := NewQueue(Syslog(path))
	defer q.Close()
	log := q.Log()
	conn := overTCP(t, q)

	// Odd amounts of room, so that it ends within lines. Each call leaves a line half sent.
	var stream strings.Builder
	buf, next := make([]byte, 5003), 0
	sendHalf := func() {
		for tries := 0; q.sent == 0; tries++ {
			for q.waiting.len < fifoSize/4 {
				if err := log.Write(Info, strconv.Itoa(next)+" "+strings.Repeat("x", 700)); err != nil {
					t.Fatal(err)
				}
				next++
			}
			if q.Flush(); q.sent > 0 {
				return
			}
			if tries == 10_000 {
				t.Fatal("no line was ever sent in parts: nothing was tested")
			}
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			stream.Write(buf[:n])
		}
	}
	for range 5 {
		sendHalf()
		for at := q.sent; q.sent == at; q.Flush() { // and the other half
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			stream.Write(buf[:n])
		}
	}
	sendHalf()

	// The reader leaves in the midst of a line, and the next one gets that line in whole.
	all := stream.String() + drain(t, q.fd, conn)
	lines := strings.Split(all, "\x00")
	half := lines[len(lines)-1]
	if half == "" || len(half) != q.sent {
		t.Fatalf("%d bytes of a line have come; %d were sent", len(half), q.sent)
	}
	var got []string
	for _, line := range lines[:len(lines)-1] {
		got = append(got, textOf(t, line))
	}
	conn.SetLinger(0) // at once, as with a local socket, and not at the second line
	conn.Close()
	got = append(got, settle(t, q, other.read)...)
	same(t, got, numbers(0, next))
}

// overTCP leads q to a TCP connection.
func overTCP(t *testing.T, q *Queue) *net.TCPConn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrInet4{Port: listener.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Connect(fd, to); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(ample)); err != nil {
		t.Fatal(err)
	}
	unix.Close(q.fd)
	q.fd = fd
	return conn.(*net.TCPConn)
}

// drain reads all that fd has sent to conn. The kernel sends on what fd has taken as conn makes room for it,
// when it likes: there is no more once nothing of it lacks an acknowledgement and nothing is left to read.
func drain(t *testing.T, fd int, conn *net.TCPConn) string {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	count := func(fd int, request uint) int {
		n, err := unix.IoctlGetInt(fd, request)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var all []byte
	buf := make([]byte, 64<<10)
	for deadline := time.Now().Add(ample); ; time.Sleep(time.Millisecond) {
		onTheWay, unread := count(fd, unix.TIOCOUTQ), 0
		if err := raw.Control(func(fd uintptr) { unread = count(int(fd), unix.TIOCINQ) }); err != nil {
			t.Fatal(err)
		}
		if unread > 0 {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, buf[:n]...)
			continue
		}
		if onTheWay == 0 {
			return string(all)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still on the way", onTheWay)
		}
	}
}

// No descriptor is free when syslogd is back: lines wait until there is one.
func TestQueueNoFreeDescriptor(t *testing.T) {
	kinds(t, func(t *testing.T, kind int, path string) {
		q := NewQueue(Syslog(path))
		defer q.Close()
		r := newReader(t, kind, path)
		defer r.close()
		var lim unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
			t.Fatal(err)
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: lim.Max}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(reconnectPause)
		err := q.Log().Write(Info, "0")
		again, fd := q.Flush(), q.fd
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
			t.Fatal(err)
		}
		if err != nil || again != reconnectPause || fd != -1 {
			t.Errorf("Write: %v; again in %v; descriptor %d", err, again, fd)
		}
		same(t, settle(t, q, r.read), numbers(0, 1))
	})
}

func TestQueueStderrLeft(t *testing.T) {
	r, w := pipe(t)
	r.Close()
	withStderr(t, w, func() {
		q := NewQueue(Stderr())
		defer q.Close()
		for range 3 {
			if err := q.Log().Write(Info, "PASS"); err != nil {
				t.Error(err)
			}
			time.Sleep(reconnectPause)
		}
		if q.Flush() == 0 {
			t.Error("nothing pending; want the lines kept for who comes next")
		}
	})
}

func TestQueueNone(t *testing.T) {
	before := openFiles(t)
	q := NewQueue(None())
	if err := q.Log().Write(Err, "PASS"); err != nil {
		t.Error(err)
	}
	if q.Flush() > 0 || openFiles(t) != before {
		t.Error("something is pending, or open")
	}
	q.Close()
}

// Close sends what there is room for, and waits for the rest no longer than its patience.
func TestQueueClose(t *testing.T) {
	before := openFiles(t)
	path := filepath.Join(dir(t), "log")
	r := newReader(t, unix.SOCK_DGRAM, path)
	for _, reads := range []bool{true, false} {
		inTime(t, func() {
			q := NewQueue(Syslog(path))
			for i := 0; q.waiting.len == 0; i++ { // one more than finds room
				q.Log().Write(Info, strconv.Itoa(i))
			}
			if reads {
				r.read()
			}
			q.Close()
			q.Close()
			if got := r.read(); reads && len(got) != 1 {
				t.Errorf("Close sent %d lines; want 1", len(got))
			}
			if q.Flush() > 0 {
				t.Error("something is pending after Close")
			}
		})
	}
	r.close()
	if after := openFiles(t); after != before {
		t.Errorf("%d files open; %d before", after, before)
	}
}

// A line costs nothing on the heap, wherever it goes: at once, in a stream, to a pipe, by way of those that wait, or lost.
func TestQueueAllocations(t *testing.T) {
	count := func(name string, q *Queue, read func()) {
		log := q.Log()
		got := testing.AllocsPerRun(10_000, func() {
			log.Write(Info, benchText)
			q.Flush()
			read()
		})
		if got > 0 {
			t.Errorf("%s: %v allocations; want none", name, got)
		}
	}
	buf := make([]byte, MaxFrame)
	kinds(t, func(t *testing.T, kind int, path string) {
		r := newReader(t, kind, path)
		defer r.close()
		q := NewQueue(Syslog(path))
		defer q.Close()
		fd := r.fd
		if kind == unix.SOCK_STREAM {
			r.read() // accepts
			fd = r.conn
		}
		count("read", q, func() { unix.Read(fd, buf) })
		count("not read", q, func() {})
		if q.lost == 0 {
			t.Error("no line was lost: nothing was tested")
		}
	})
	r, w := pipe(t)
	withStderr(t, w, func() {
		q := NewQueue(Stderr())
		defer q.Close()
		fd := int(r.Fd())
		count("stderr", q, func() { unix.Read(fd, buf) })
		count("stderr, not read", q, func() {})
	})
}

func BenchmarkQueue(b *testing.B) {
	fd, path := listen(b, unix.SOCK_DGRAM)
	q := NewQueue(Syslog(path))
	defer q.Close()
	log := q.Log()
	buf := make([]byte, MaxFrame)
	b.ReportAllocs()
	for b.Loop() {
		log.Write(Info, benchText)
		unix.Read(fd, buf)
	}
}

// A batch of clients, as one turn of a loop brings: more lines than the socket takes at once.
func BenchmarkQueueBatch(b *testing.B) {
	fd, path := listen(b, unix.SOCK_DGRAM)
	q := NewQueue(Syslog(path))
	defer q.Close()
	go func() {
		buf := make([]byte, MaxFrame)
		for {
			if n, err := unix.Read(fd, buf); err != nil || n == 0 {
				return
			}
		}
	}()
	log := q.Log()
	b.ReportAllocs()
	lost := 0
	for b.Loop() {
		for range 64 {
			if log.Write(Info, benchText) != nil {
				lost++
			}
		}
		q.Flush()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(64*b.N), "ns/line")
	b.ReportMetric(float64(lost)/float64(64*b.N), "lost/line")
	unix.Shutdown(fd, unix.SHUT_RDWR)
}

// Nobody reads: what a line costs that is lost.
func BenchmarkQueueFull(b *testing.B) {
	_, path := listen(b, unix.SOCK_DGRAM)
	q := NewQueue(Syslog(path))
	defer q.Close()
	log := q.Log()
	b.ReportAllocs()
	for b.Loop() {
		log.Write(Info, benchText)
	}
}
