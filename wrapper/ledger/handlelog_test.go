package ledger

import (
	"os"
	"strings"
	"testing"
)

// Each trouble is logged once; a held lock once a minute; a crowd not at all, since the client's
// own line says so.
func TestHandleLogs(t *testing.T) {
	h, _, log := newHandle(t, Options{})
	check := func(what string, want ...string) {
		t.Helper()
		same := len(log.lines) == len(want)
		for i := 0; same && i < len(want); i++ {
			same = strings.Contains(log.lines[i], want[i])
		}
		if !same {
			t.Errorf("%s: %q; want %q", what, log.lines, want)
		}
		log.lines = nil
	}
	check("a ledger that is there")
	h.noteError(Now(), ErrCrowded)
	check("a crowd")

	for range 3 {
		h.noteError(Now(), &HeldError{PID: 42, Stopped: true})
	}
	check("held", h.Path+": ledger is held by process 42, which is stopped; continue or kill "+
		"it; on we go")
	h.noteError(Now().After(logHeldEvery), &HeldError{PID: 42})
	check("held a minute later", "was held by process 42")

	if err := os.Truncate(h.Path, 0); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := h.Run(func(*Tx) {}); err != ErrLost || h.IsOpen() {
			t.Errorf("truncated: %v, open %v", err, h.IsOpen())
		}
	}
	check("lost", h.Path+": ledger was truncated or its disk failed; on we go")
	if !h.Outdated() || h.Open() != nil {
		t.Error("a lost ledger is not opened again")
	}
	check("set aside", "set aside as")

	h.Path = "/nowhere/at/all/ledger"
	for range 2 {
		if h.Open() == nil || h.IsOpen() {
			t.Error("opened")
		}
	}
	check("not to be opened", "no such file or directory; on we go",
		"no such file or directory; on we go")
	h.Without = ""
	_ = h.Open()
	check("an error that the caller logs")
}

// The ledger is opened again when it has been replaced, and a minute after it could not be opened.
func TestHandleOutdated(t *testing.T) {
	h, _, _ := newHandle(t, Options{})
	if h.Outdated() {
		t.Error("as it is")
	}
	if err := os.Remove(h.Path); err != nil || !h.Outdated() {
		t.Errorf("removed: %v", err)
	}
	if err := os.Mkdir(h.Path, 0o700); err != nil || h.Open() == nil || h.Outdated() {
		t.Errorf("just tried: %v", err)
	}
	if h.failedAt -= retryAfter; !h.Outdated() {
		t.Error("tried a minute ago")
	}
	if err := os.Remove(h.Path); err != nil || h.Open() != nil || h.Outdated() {
		t.Errorf("opened again: %v", err)
	}
}
