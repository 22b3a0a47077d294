package room

import (
	"net"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// onePlace allows one session, which ends when its client has been silent for a second.
const onePlace = "max_sessions 1\nmax_idle 1s\nremember 0\n"

// served returns a client in session.
func (h *house) served(from string) *net.TCPConn {
	h.t.Helper()
	c := h.guest(from)
	h.until("it is served", func() bool { return len(h.mtas.running) == 1 })
	expect(h.t, c, "220 ready")
	return c
}

// A client that waits for its turn gets the place of an idle one, even if no other client comes.
func TestTurnOfTheIdle(t *testing.T) {
	h := build(t, onePlace+"greet_delay 50ms stress=50ms\n")
	h.begin()
	both := []*net.TCPConn{h.guest("127.8.0.1"), h.guest("127.8.0.2")}
	h.until("one waits for its turn", func() bool {
		return h.turns.len == 1 && len(h.mtas.running) == 1
	})
	h.until("it is served", func() bool {
		return h.turns.len == 0 && h.logged("PASS ") == 2 && h.logged("IDLE ") == 1
	})
	for _, c := range both {
		expect(t, c, "220 ready")
	}
	if h.logged("IDLE ", "reply=421") != 1 || h.logged("BUSY ") != 0 {
		t.Errorf("log: %q", h.said())
	}
}

// The loop goes on during a search for a client that arrives, which then gets the place.
func TestSearchPlace(t *testing.T) {
	h := build(t, onePlace+"greet_delay 0s\n")
	h.begin()
	first := h.served("127.8.0.1")
	h.until("another gets its place", func() bool {
		return strings.HasPrefix(h.fate("127.8.0.2"), "220 ")
	})
	expect(t, first, "421 4.4.2 ")
	if h.logged("IDLE client=[127.8.0.1]:", "reply=421") != 1 || h.searching.len != 0 {
		t.Errorf("%d are held; log: %q", h.searching.len, h.said())
	}
}

// fate returns the first line that a client gets.
func (h *house) fate(from string) string {
	h.t.Helper()
	c := h.guest(from)
	var b [512]byte
	n := 0
	h.until("it hears something", func() bool {
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		n, _ = c.Read(b[:])
		return n > 0
	})
	return string(b[:n])
}

// A client that is held during a search gets 421 when the room closes, does not count meanwhile,
// and is gone when the search ends.
func TestShutWhileSeeking(t *testing.T) {
	h := build(t, onePlace+"greet_delay 0s\n")
	h.begin()
	h.served("127.8.0.1")
	next := h.guest("127.8.0.2")
	fd, from := h.taken()
	h.takeIn(fd, from)
	if h.searching.len != 1 {
		t.Fatalf("%d are held", h.searching.len)
	}
	h.counted(func(c *client, mta int) bool {
		if mta == 0 {
			t.Errorf("%v is to be counted", c.session.Client)
		}
		return true
	})
	h.beginShutdown()
	h.stepShutdown()
	expect(t, next, "421 4.3.2 ")
	h.until("the search is over", func() bool { return h.stage == over && h.held == 0 })
	var orphans []ledger.LiveSession
	for _, s := range h.sessions() {
		if s.Process == h.door.Process {
			orphans = append(orphans, s)
		}
	}
	if len(orphans) > 0 {
		t.Errorf("left in the ledger: %v", orphans)
	}
}

// A search takes too long for the program before: in the next one the client that it was made for
// waits for its greet delay, as any other.
func TestTakeOverWhileSeeking(t *testing.T) {
	h := build(t, onePlace+"greet_delay 280s stress=280s\nallow 127.8.0.1\n")
	h.begin()
	h.served("127.8.0.1")
	h.guest("127.8.0.2")
	fd, from := h.taken()
	h.takeIn(fd, from)
	if h.searching.len != 1 {
		t.Fatalf("%d are held", h.searching.len)
	}
	h.configure("greet_delay 280s stress=280s\n")
	h.takeOver()
	if q := h.delays[280*time.Second]; q == nil || q.len != 1 || h.held != 1 {
		t.Errorf("%v, %d held", h.delays, h.held)
	}
}

// A client that is served though all places are taken, since nothing is enforced, is counted once.
func TestTakeOverObserving(t *testing.T) {
	h := build(t, onePlace+"greet_delay 280s stress=280s\nallow 127.8.0.1\nmode observe\n")
	h.begin()
	h.served("127.8.0.1")
	h.guest("127.8.0.2")
	fd, from := h.taken()
	h.takeIn(fd, from)
	if h.admitted.len != 1 {
		t.Fatalf("%d are admitted", h.admitted.len)
	}
	h.takeOver()
	var n ledger.Totals
	_ = h.door.Ledger.Run(func(tx *ledger.Tx) { n = tx.Totals() })
	if busy := n.Verdicts[decide.Busy]; h.admitted.len != 1 || busy != 1 {
		t.Errorf("%d are admitted; counted %d times", h.admitted.len, busy)
	}
}
