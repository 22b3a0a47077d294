package maillog

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// If a syslogd ends after it has read everything, and comes back, no line is lost.
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

// While syslogd is away, lines cost no system calls: the queue tries to connect ten times a second.
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

// A replaced syslogd may leave its socket open in another process, such as a child: that socket
// stays full for ever, and the queue must leave it. It must not leave a syslogd that is only slow.
func TestQueueReplaced(t *testing.T) {
	path := filepath.Join(dir(t), "log")
	for deadline := time.Now().Add(lab.Patience); !queueReplaced(t, path); os.Remove(path) {
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
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE,
			&unix.Rlimit{Cur: 3, Max: lim.Max}); err != nil {
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
			t.Error("nothing pending; want the lines kept for the next reader")
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

// Close sends the lines for which there is room, and waits for Patience at most.
func TestQueueClose(t *testing.T) {
	before := openFiles(t)
	path := filepath.Join(dir(t), "log")
	r := newReader(t, unix.SOCK_DGRAM, path)
	for _, reads := range []bool{true, false} {
		lab.InTime(t, "Close", Patience+10*time.Millisecond, func(w *lab.Waits) {
			for range 7 {
				q := NewQueue(Syslog(path))
				for i := 0; q.waiting.len == 0; i++ { // one more than finds room
					q.Log().Write(Info, strconv.Itoa(i))
				}
				if reads {
					r.read()
				}
				began := time.Now()
				q.Close()
				q.Close()
				took := time.Since(began)
				if got := r.read(); reads && len(got) != 1 {
					t.Errorf("Close sent %d lines; want 1", len(got))
				}
				if q.Flush() > 0 {
					t.Error("something is pending after Close")
				}
				w.Add(took, lab.Lateness())
			}
		})
	}
	r.close()
	if after := openFiles(t); after != before {
		t.Errorf("%d files open; %d before", after, before)
	}
}
