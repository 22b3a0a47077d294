package room

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// raise sends ourselves a signal, which has come when it returns.
func raise(t *testing.T, sig unix.Signal) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Tgkill(os.Getpid(), unix.Gettid(), sig); err != nil {
		t.Fatal(err)
	}
}

// While the loop is busy hundreds of MTAs end, and somebody tells the room to stop: it does.
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

// Nor is SIGTERM lost that comes before the room stops listening for it, but not before it has
// looked.
func TestLastCall(t *testing.T) {
	for range 50 {
		r := testRoom(t, "127.0.0.1:0")
		r.replacement = &replacement{"/nonexistent", r.now}
		raise(t, unix.SIGTERM)
		if r.notices.lastCall(); r.stage != closing || r.replacing() {
			t.Fatalf("stage %d, replacing: %v", r.stage, r.replacing())
		}
	}
}

// Whoever asks by a signal while the room has stopped listening for others finds one that listens
// again.
func TestListenAgain(t *testing.T) {
	h := build(t, "greet_delay 0s\n")
	h.notices.lastCall()
	h.notices.listen()
	raise(t, unix.SIGINT)
	h.until("the room closes", func() bool { return h.stage != open })
}
