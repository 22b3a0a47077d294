package maillog

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A line makes no allocation, whether it is sent at once, into a stream or a pipe, is queued, or is
// lost.
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

// The cost of a lost line.
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
