package room

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper"
)

// answer is what the test's program says when it is asked for its version. The file notes how often
// it was.
func answer() {
	f, err := os.OpenFile(os.Getenv("SENDWRAP_TEST_ASKED"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString("?")
	}
	if err != nil {
		os.Exit(1)
	}
	fmt.Println(wrapper.TakesOver)
	syscall.Exit(0) // os.Exit takes a second under the race detector
}

// asks has the room asked to replace its program twice, and goes on until it knows whether it can.
// It returns how often that was asked. (The loop's next step would be to execute it.)
func (h *house) asks() (times int) {
	h.t.Helper()
	asked := h.file("asked")
	h.t.Setenv("SENDWRAP_TEST_ASKED", asked)
	h.heed(askReplace)
	h.heed(askReplace)
	for deadline := time.Now().Add(lab.Patience); h.asking || asking(); h.notices.take() {
		if _, err := h.poller.wait(10 * time.Millisecond); err != nil || time.Now().After(deadline) {
			h.t.Fatalf("it is never said; %v", err)
		}
	}
	text, _ := os.ReadFile(asked)
	return len(text)
}

// asking says whether some goroutine asks a program.
func asking() bool {
	stacks := make([]byte, 1<<20)
	text := string(stacks[:runtime.Stack(stacks, true)])
	return strings.Contains(text, "sendwrap/wrapper/room.(*room).replace.func")
}

// However often it is asked for, one program at a time is asked whether it can take the room's
// place.
func TestAsk(t *testing.T) {
	h := build(t, "greet_delay 0s\n")
	if n := h.asks(); n != 1 || !h.replacing() {
		t.Errorf("asked %d times; replacing: %v; log: %q", n, h.replacing(), h.said())
	}
	if l := h.listeners[0]; l.restsTill != forEver {
		t.Error("clients are let in still")
	}
	under := h.replacement
	h.heed(askReplace)
	if h.asking || h.replacement != under {
		t.Error("another program is asked while one is about to take over")
	}
}

// Without a configuration that can be read the next program would have to turn everybody away: this
// one stays.
func TestAskUnconfigured(t *testing.T) {
	h := build(t, "greet_delay 0s\n")
	if err := os.Remove(h.file("conf")); err != nil {
		t.Fatal(err)
	}
	h.asks()
	if h.replacing() || h.logged("SIGUSR2: ", "the running program stays") != 1 {
		t.Fatalf("replacing: %v; log: %q", h.replacing(), h.said())
	}
	h.guest("127.8.0.1")
	h.until("it serves", func() bool { return h.mtas.starting == 1 })

	// One with mistakes is for the next program to tell.
	h.configure("greet_delay 5\n")
	if h.asks(); !h.replacing() {
		t.Errorf("a configuration with mistakes: log: %q", h.said())
	}
}

// A room that closes meanwhile does not replace itself any more.
func TestAskClosing(t *testing.T) {
	h := build(t, "greet_delay 0s\n")
	h.replace()
	h.shut()
	if h.asks(); h.replacing() || h.stage != closing {
		t.Errorf("replacing: %v, stage %d", h.replacing(), h.stage)
	}
}
