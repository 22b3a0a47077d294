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

// answer answers for the test's program when a room asks for its version. A file counts the calls.
func answer() {
	f, err := os.OpenFile(os.Getenv("SENDWRAP_TEST_ASKED"), os.O_APPEND|os.O_CREATE|os.O_WRONLY,
		0o600)
	if err == nil {
		_, err = f.WriteString("?")
	}
	if err != nil {
		os.Exit(1)
	}
	fmt.Println(wrapper.TakesOver)
	syscall.Exit(0) // os.Exit takes a second under the race detector
}

// asks makes two requests to replace the program, and continues until the room knows whether it
// can. It returns how often the room has asked the program. (Next, the loop would execute it.)
func (h *house) asks() (times int) {
	h.t.Helper()
	asked := h.file("asked")
	h.t.Setenv("SENDWRAP_TEST_ASKED", asked)
	h.onSignals(askReplace)
	h.onSignals(askReplace)
	for deadline := time.Now().Add(lab.Patience); h.asking || asking(); h.notices.handle() {
		if _, err := h.poller.wait(10 * time.Millisecond); err != nil ||
			time.Now().After(deadline) {
			h.t.Fatalf("it is never said; %v", err)
		}
	}
	text, _ := os.ReadFile(asked)
	return len(text)
}

// asking reports whether a goroutine is asking a program.
func asking() bool {
	stacks := make([]byte, 1<<20)
	text := string(stacks[:runtime.Stack(stacks, true)])
	return strings.Contains(text, "sendwrap/wrapper/room.(*room).replace.func")
}

// The room asks one program at a time whether it can take over, however many requests there are.
func TestAsk(t *testing.T) {
	h := build(t, "greet_delay 0s\n")
	if n := h.asks(); n != 1 || !h.replacing() {
		t.Errorf("asked %d times; replacing: %v; log: %q", n, h.replacing(), h.said())
	}
	if l := h.listeners[0]; l.pausedUntil != forever {
		t.Error("clients are still let in")
	}
	under := h.replacement
	h.onSignals(askReplace)
	if h.asking || h.replacement != under {
		t.Error("another program is asked while one is about to take over")
	}
}

// Without a readable configuration the next program would refuse every client, so this one stays.
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

	// The next program logs the mistakes in a configuration.
	h.configure("greet_delay 5\n")
	if h.asks(); !h.replacing() {
		t.Errorf("a configuration with mistakes: log: %q", h.said())
	}
}

// A room that is shutting down does not replace itself.
func TestAskClosing(t *testing.T) {
	h := build(t, "greet_delay 0s\n")
	h.replace()
	h.beginShutdown()
	if h.asks(); h.replacing() || h.stage != closing {
		t.Errorf("replacing: %v, stage %d", h.replacing(), h.stage)
	}
}
