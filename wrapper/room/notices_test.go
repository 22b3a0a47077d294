package room

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// raise sends this process a signal, which has arrived when raise returns.
func raise(t *testing.T, sig unix.Signal) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Tgkill(os.Getpid(), unix.Gettid(), sig); err != nil {
		t.Fatal(err)
	}
}

// SIGTERM is not lost when hundreds of MTAs exit while the loop is busy.
func TestSignals(t *testing.T) {
	h := build(t, "greet_delay 0s\n")
	for range 400 {
		raise(t, unix.SIGCHLD)
		raise(t, unix.SIGHUP)
	}
	raise(t, unix.SIGTERM)
	h.until("the room closes", func() bool { return h.stage != open })
	h.until("it has read its configuration", func() bool { return !h.reading })
}

// SIGTERM is not lost either if it comes just before the room restores its default.
func TestLastCall(t *testing.T) {
	for range 50 {
		r := testRoom(t, "127.0.0.1:0")
		r.replacement = &replacement{"/nonexistent", r.now}
		raise(t, unix.SIGTERM)
		if r.notices.releaseStops(); r.stage != closing || r.replacing() {
			t.Fatalf("stage %d, replacing: %v", r.stage, r.replacing())
		}
	}
}

// A signal that comes while stops have their default leads to a room that handles them again.
func TestListenAgain(t *testing.T) {
	h := build(t, "greet_delay 0s\n")
	h.notices.releaseStops()
	h.notices.listen()
	raise(t, unix.SIGINT)
	h.until("the room closes", func() bool { return h.stage != open })
}
