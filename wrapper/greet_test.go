package wrapper

import (
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestWait(t *testing.T) {
	const delay = 300 * time.Millisecond
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
		want   Greet
		early  bool // the delay ends before its time
	}{
		{"quiet", func(*testing.T, *net.TCPConn) {}, Quiet, false},
		{"speaks", send("EHLO bot\r\n"), Spoke, true},
		{"one byte without a line end", send("E"), Spoke, true},
		{"closes", func(t *testing.T, c *net.TCPConn) { c.Close() }, Left, true},
		{"resets", reset, Left, true},
		{"half-closes without a word", func(t *testing.T, c *net.TCPConn) { c.CloseWrite() }, Left, true},
		{"speaks and half-closes", func(t *testing.T, c *net.TCPConn) { send("QUIT\r\n")(t, c); c.CloseWrite() }, Spoke, true},
		{"speaks and closes", func(t *testing.T, c *net.TCPConn) { send("QUIT\r\n")(t, c); c.Close() }, Spoke, true},
	}
	for _, tt := range tests {
		for _, when := range []string{"before", "during"} {
			t.Run(tt.name+"/"+when, func(t *testing.T) {
				t.Parallel()
				client, fd := pair(t)
				if when == "before" {
					tt.client(t, client)
					time.Sleep(20 * time.Millisecond)
				} else {
					go func() {
						time.Sleep(delay / 3)
						tt.client(t, client)
					}()
				}
				started := time.Now()
				got, waited, err := Wait(fd, delay)
				took := time.Since(started)
				if got != tt.want || err != nil {
					t.Errorf("Wait = %v, %v; want %v", got, err, tt.want)
				}
				if !tt.early && took < delay {
					t.Errorf("greeted after %v, %v too early", took, delay-took)
				}
				if tt.early && took > delay*9/10 {
					t.Errorf("took %v to notice", took)
				}
				if waited > took || took-waited > 50*time.Millisecond {
					t.Errorf("says it waited %v, took %v", waited, took)
				}
			})
		}
	}
}

// A delay of nothing still looks: a known client that has spoken already is none.
func TestWaitLooksOnce(t *testing.T) {
	client, fd := pair(t)
	if got, _, err := Wait(fd, 0); got != Quiet || err != nil {
		t.Errorf("quiet: Wait = %v, %v", got, err)
	}
	client.Write([]byte("x"))
	time.Sleep(20 * time.Millisecond)
	if got, _, err := Wait(fd, 0); got != Spoke || err != nil {
		t.Errorf("spoke: Wait = %v, %v", got, err)
	}
}

// The MTA must see the stream from its first byte, on a descriptor whose flags nobody touched.
func TestWaitLeavesNoTrace(t *testing.T) {
	client, fd := pair(t)
	before, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	const text = "EHLO bot\r\nMAIL FROM:<x@y>\r\n"
	client.Write([]byte(text))
	time.Sleep(20 * time.Millisecond)
	if got, _, _ := Wait(fd, time.Second); got != Spoke {
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

// Signals that arrive all the time neither lengthen the delay nor end it.
func TestWaitUnderSignals(t *testing.T) {
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, syscall.SIGUSR1)
	defer signal.Stop(signals)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				syscall.Kill(os.Getpid(), syscall.SIGUSR1)
			}
		}
	}()
	_, fd := pair(t)
	started := time.Now()
	got, _, err := Wait(fd, 400*time.Millisecond)
	if took := time.Since(started); got != Quiet || err != nil || took < 400*time.Millisecond || took > 600*time.Millisecond {
		t.Errorf("Wait = %v, %v after %v", got, err, took)
	}
}

// A fault of our own comes with Quiet: the client is not to blame.
func TestWaitFailsOpen(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.Write([]byte("x"))
	defer w.Close()
	if got, _, err := Wait(int(r.Fd()), 50*time.Millisecond); got != Quiet || err == nil {
		t.Errorf("on a pipe: Wait = %v, %v; want Quiet and an error", got, err)
	}
}
