package room

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// testRoom is a room with a listening socket. The test runs its loop.
func testRoom(t *testing.T, address string) *room {
	t.Helper()
	fd, err := Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRoom(Options{
		File: "/nowhere", Sockets: []int{fd}, Stdio: new(exec.Stdio),
		LogTo: func(policy.LogTarget) maillog.Log { return maillog.None() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup((&house{room: r}).silence)
	t.Cleanup(func() { unix.Close(fd) })
	r.unconfigured = nil // without a file the defaults hold, and there is no ledger
	return r
}

// SIGTERM comes at the very moment of a handover: the room closes, and no client is lost.
func TestShutWhileReplacing(t *testing.T) {
	r := testRoom(t, "127.0.0.1:0")
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	r.arrive(wrapper.Connection{FD: pair[0]})
	r.decideArrivals()
	if len(r.waitingQueues()) != 4 {
		t.Fatalf("%d queues; want one of a delay beside turns, searching and admitted",
			len(r.waitingQueues()))
	}
	r.replacement = &replacement{"/nonexistent", r.now}
	r.notices.stops <- unix.SIGTERM
	r.stepShutdown()
	if r.stage != closing || r.replacing() {
		t.Errorf("stage %d, replacing: %v", r.stage, r.replacing())
	}
	r.pause()
	r.stepShutdown()
	b := make([]byte, 100)
	n, err := unix.Read(pair[1], b)
	if err != nil || n < 9 || string(b[:9]) != "421 4.3.2" {
		t.Errorf("the client hears %q, %v", b[:max(0, n)], err)
	}
	time.Sleep(wrapper.DrainTime)
	r.expire()
	if r.stepShutdown(); r.stage != over || r.held != 0 {
		t.Errorf("stage %d, %d clients held", r.stage, r.held)
	}
}

// If the new program does not exist, the room goes on.
func TestReplaceFails(t *testing.T) {
	r := testRoom(t, "127.0.0.1:0")
	r.replacement = &replacement{"/nonexistent", r.now}
	r.pauseListening()
	r.stepShutdown()
	if r.replacing() || r.stage != open {
		t.Errorf("replacing: %v, stage %d", r.replacing(), r.stage)
	}
	if l := r.listeners[0]; l.pausedUntil != r.now {
		t.Errorf("the socket rests until %v", l.pausedUntil)
	}
	if err := r.accept(); err != nil {
		t.Error(err)
	}
	if l := r.listeners[0]; l.pausedUntil != 0 {
		t.Errorf("the socket still rests until %v", l.pausedUntil)
	}
}

// The saved state does not miss what happens at the last moment: the room saves it once more.
func TestReplaceLastMoment(t *testing.T) {
	h := build(t, "allow 127.0.0.0/8\n")
	h.guest("127.8.0.1")
	h.until("one is to be served", func() bool { return h.mtas.starting == 1 })
	pid := child(t, false)
	h.mtaStarted(<-h.mtas.jobs, pid, nil)
	h.close(h.silent.first)
	ended(t, pid)
	h.replacement = &replacement{"/nonexistent", h.now}
	raise(t, unix.SIGCHLD)
	for h.notices.asked.Load()&askReap == 0 { // it is on its way from goroutine to goroutine
		time.Sleep(time.Millisecond)
	}
	if h.stepShutdown(); len(h.mtas.running) > 0 || !h.replacing() ||
		h.logged("the running program stays") > 0 {
		t.Errorf("%d MTAs run, replacing: %v; log: %q", len(h.mtas.running), h.replacing(), h.lines)
	}
	if h.stepShutdown(); h.replacing() ||
		h.logged("/nonexistent", "the running program stays") != 1 {
		t.Errorf("replacing: %v; log: %q", h.replacing(), h.lines)
	}
	raise(t, unix.SIGTERM)
	h.until("it listens again", func() bool { return h.stage != open })
}
