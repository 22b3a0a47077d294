package maillog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// waits is how often this thread gave up the processor by itself: it does so when it waits.
func waits(t *testing.T) int64 {
	t.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		t.Fatal(err)
	}
	return usage.Nvcsw
}

// flood writes lines that nobody reads, and fails if it waited: one wait a thousand lines may be
// the Go runtime's own.
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

// If nobody reads the log for long, Write never waits, the queue keeps fifoSize bytes and no more,
// and a line says how many lines are missing, at the place where they are missing.
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
		if flags, err := unix.FcntlInt(2, unix.F_GETFL, 0); err != nil ||
			flags&unix.O_NONBLOCK != 0 {
			t.Errorf("flags of fd 2 are %#x, %v; want them untouched", flags, err)
		}
	})
}

// readPipe reads the lines that are in a pipe.
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
	want := append(numbers(0, kept),
		fmt.Sprint(lostText, lines-kept))
	same(t, got, want)

	for i := range 100 {
		if err := q.Log().Write(Info, strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	same(t, settle(t, q, read), numbers(0, 100))
}

// If the reader is always too slow, the lines stay in order, each is read or counted, and there are
// few counts.
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
			if lost, ok := strings.CutPrefix(text, lostText); ok {
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

// In a long round of the loop, Write itself flushes.
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

// Flush returns soon, however much there is to send.
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
