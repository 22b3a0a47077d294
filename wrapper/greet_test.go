package wrapper

import (
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
)

// never is a greet delay that does not end while a test runs.
const never = 4 * time.Minute

// waitFor is Wait, and fails if it has not returned within a minute.
func waitFor(t *testing.T, fd int, delay time.Duration) (g decide.Greet, waited,
	took time.Duration) {
	t.Helper()
	done := make(chan error, 1)
	started := time.Now()
	go func() {
		var err error
		g, waited, err = Wait(fd, delay, nil, nil)
		took = time.Since(started)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Wait: %v", err)
		}
	case <-time.After(lab.Patience):
		t.Fatalf("Wait(%v) goes on after %v", delay, lab.Patience)
	}
	if waited > took || waited < 0 {
		t.Errorf("says it waited %v, took %v", waited, took)
	}
	return g, waited, took
}

func TestWait(t *testing.T) {
	send := func(text string) func(*testing.T, *net.TCPConn) {
		return func(t *testing.T, c *net.TCPConn) {
			if _, err := c.Write([]byte(text)); err != nil {
				t.Error(err)
			}
		}
	}
	tests := []struct {
		name   string
		client func(*testing.T, *net.TCPConn)
		want   decide.Greet
	}{
		{"speaks", send("EHLO bot\r\n"), decide.Spoke},
		{"one byte without a line end", send("E"), decide.Spoke},
		{"closes", func(t *testing.T, c *net.TCPConn) { c.Close() }, decide.Left},
		{"resets", reset, decide.Left},
		{"half-closes and sends nothing", func(t *testing.T, c *net.TCPConn) { c.CloseWrite() },
			decide.Left},
		{"speaks and half-closes", func(t *testing.T, c *net.TCPConn) {
			send("QUIT\r\n")(t,
				c)
			c.CloseWrite()
		}, decide.Spoke},
		{"speaks and closes", func(t *testing.T, c *net.TCPConn) {
			send("QUIT\r\n")(t,
				c)
			c.Close()
		}, decide.Spoke},
	}
	for _, tt := range tests {
		t.Run(tt.name+"/before", func(t *testing.T) {
			t.Parallel()
			client, fd := pair(t)
			tt.client(t, client)
			arrived(t, fd)
			if got, _, _ := waitFor(t, fd, never); got != tt.want {
				t.Errorf("Wait = %v; want %v", got, tt.want)
			}
		})
		t.Run(tt.name+"/during", func(t *testing.T) {
			t.Parallel()
			const pause = 100 * time.Millisecond
			for deadline := time.Now().Add(lab.Patience); ; {
				client, fd := pair(t)
				go func() {
					time.Sleep(pause)
					tt.client(t, client)
				}()
				got, waited, _ := waitFor(t, fd, never)
				if got != tt.want {
					t.Fatalf("Wait = %v; want %v", got, tt.want)
				}
				if waited > pause/2 { // else it had not begun to wait when the client did that
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("says it waited %v, for a client that does something after %v", waited,
						pause)
				}
			}
		})
	}
}

func TestWaitIsOver(t *testing.T) {
	const delay = 300 * time.Millisecond
	_, fd := pair(t)
	if got, waited, took := waitFor(t, fd, delay); got != decide.Quiet || waited < delay ||
		took < delay {
		t.Errorf("Wait = %v after %v, says %v; want Quiet after %v", got, took, waited, delay)
	}
}

// With a delay of 0 Wait still looks: a known client may have spoken already.
func TestWaitLooksOnce(t *testing.T) {
	client, fd := pair(t)
	if got, _, err := Wait(fd, 0, nil, nil); got != decide.Quiet || err != nil {
		t.Errorf("quiet: Wait = %v, %v", got, err)
	}
	client.Write([]byte("x"))
	arrived(t, fd)
	if got, _, err := Wait(fd, 0, nil, nil); got != decide.Spoke || err != nil {
		t.Errorf("spoke: Wait = %v, %v", got, err)
	}
}

// The MTA must see the stream from its first byte, on a descriptor with its old flags.
func TestWaitLeavesNoTrace(t *testing.T) {
	client, fd := pair(t)
	before, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	const text = "EHLO bot\r\nMAIL FROM:<x@y>\r\n"
	client.Write([]byte(text))
	arrived(t, fd)
	if got, _, _ := waitFor(t, fd, never); got != decide.Spoke {
		t.Fatalf("Wait = %v", got)
	}
	early := peekEarly(fd)
	if early.Bytes != len(text) || string(early.Text) != text {
		t.Errorf("peeked %d bytes, %q", early.Bytes, early.Text)
	}
	after, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if before != after || after&unix.O_NONBLOCK != 0 {
		t.Errorf("flags were %#o, are %#o", before, after)
	}
	var b [100]byte
	if n, err := unix.Read(fd, b[:]); err != nil || string(b[:n]) != text {
		t.Errorf("the MTA would read %q, %v", b[:n], err)
	}
}

// Signals that arrive all the time neither end the delay nor restart it. (If they did, Wait would
// never return: they end when it has returned.)
func TestWaitUnderSignals(t *testing.T) {
	const delay = 400 * time.Millisecond
	_, fd := pair(t)
	thread := make(chan int)
	type result struct {
		g    decide.Greet
		took time.Duration
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		thread <- unix.Gettid()
		started := time.Now()
		g, _, err := Wait(fd, delay, nil, nil)
		done <- result{g, time.Since(started), err}
	}()
	tid := <-thread
	var r result
	for waits, deadline := true, time.Now().Add(lab.Patience); waits; {
		// Go's runtime takes no notice of this one, with which it preempts itself.
		if err := unix.Tgkill(os.Getpid(), tid, unix.SIGURG); err != nil {
			t.Fatal(err)
		}
		select {
		case r = <-done:
			waits = false
		case <-time.After(5 * time.Millisecond):
			if time.Now().After(deadline) {
				t.Fatalf("Wait(%v) goes on after %v", delay, lab.Patience)
			}
		}
	}
	if r.g != decide.Quiet || r.err != nil || r.took < delay {
		t.Errorf("Wait = %v, %v after %v; want Quiet after %v", r.g, r.err, r.took, delay)
	}
}

// After a fault of our own the client is taken for quiet.
func TestWaitFailsOpen(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.Write([]byte("x"))
	defer w.Close()
	if got, _, err := Wait(int(r.Fd()), 50*time.Millisecond, nil, nil); got != decide.Quiet ||
		err == nil {
		t.Errorf("on a pipe: Wait = %v, %v; want Quiet and an error", got, err)
	}
}
