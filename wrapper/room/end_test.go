package room

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/exec"
	"sendwrap/tests/lab"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// A room with thousands of waiting clients closes in steps, and every client gets its reply.
func TestShut(t *testing.T) {
	const clients, most = 2000, 100
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 2*clients+200 {
		lab.Need(t, fmt.Sprintf("RLIMIT_NOFILE is %d, %v: raise it to %d", limit.Cur, err,
			2*clients+200))
	}
	h := build(t, slow)
	ends := h.appear(clients)
	h.said()
	if h.held != clients {
		t.Fatalf("%d wait: %q", h.held, h.lines)
	}
	h.beginShutdown()
	if h.closeBy != h.now+closingTime {
		t.Errorf("the room closes within %v; want %v", h.closeBy-h.now, closingTime)
	}
	h.closeBy = h.now // a slow machine: each client is refused all the same
	refused := 0
	h.until("it is over", func() bool {
		if n := h.refused - refused; n > most {
			t.Fatalf("%d are refused at once", n)
		}
		refused = h.refused
		return h.stage == over
	})
	for i, fd := range ends {
		if got := hears(fd); !strings.HasPrefix(got, "421 4.3.2 ") {
			t.Fatalf("client %d hears %q", i, got)
		}
	}
	if n := h.logged("BUSY ", "reply=421"); n != clients || h.held > 0 || h.refused != clients {
		t.Errorf("%d in the log, %d held, %d refused; want %d, 0, %[4]d", n, h.held, h.refused,
			clients)
	}
	if n := len(h.sessions()); n > 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// A room that cannot finish within its time closes nevertheless.
func TestShutLate(t *testing.T) {
	h := build(t, "greet_delay 0s\n")
	h.guest("127.8.0.1")
	h.until("an MTA is on its way", func() bool { return h.mtas.starting == 1 })
	h.beginShutdown()
	if h.round(); h.stage != closing {
		t.Fatalf("stage %d although an MTA is on its way", h.stage)
	}
	h.closeBy = h.now
	if h.round(); h.stage != over {
		t.Errorf("stage %d when its time is over", h.stage)
	}
}

// A client that is refused because the room closes is not served, even in observe mode.
func TestShutObserving(t *testing.T) {
	h := build(t, slow+"mode observe\n")
	c := h.guest("127.8.0.1")
	h.until("it waits", func() bool { return h.held == 1 })
	h.beginShutdown()
	h.until("the room is closed", func() bool { return h.stage == over })
	expect(t, c, "421 4.3.2 ")
	if h.logged("BUSY ", "mode=observe", "reply=421") != 1 || h.mtas.jobCount > 0 {
		t.Errorf("%d MTAs started; log: %q", h.mtas.jobCount, h.lines)
	}
}

// Only a socket that goes back to a super-server becomes blocking again, and only if it was.
func TestFinish(t *testing.T) {
	for _, tt := range []struct{ idle, blocking, want bool }{
		{idle: true, blocking: true, want: true},
		{idle: true, blocking: false, want: false},
		{idle: false, blocking: true, want: false},
		{idle: false, blocking: false, want: false},
	} {
		fd, err := Listen("127.0.0.1:0")
		if err == nil {
			err = unix.SetNonblock(fd, !tt.blocking)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		r, err := newRoom(Options{
			File: "/nowhere", Sockets: []int{fd}, Idle: tt.idle, Stdio: new(exec.Stdio),
			LogTo: func(policy.LogTarget) maillog.Log { return maillog.None() },
		})
		if err != nil {
			t.Fatal(err)
		}
		blocks := func() bool {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
			return err == nil && flags&unix.O_NONBLOCK == 0
		}
		if blocks() {
			t.Error("the socket blocks in the room")
		}
		if r.finish(); blocks() != tt.want {
			t.Errorf("idle %v, blocking before %v: blocking %v", tt.idle, tt.blocking, blocks())
		}
	}
}
