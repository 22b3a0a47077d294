package room

import (
	"maps"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/ledger"
)

// A client that is served only in observe mode does not count. Another client that came in the same
// millisecond may have its slot, with the very same token: that session must not end with the first
// client, nor be transferred to its MTA.
func TestObservedToken(t *testing.T) {
	const pairs = 40
	h := build(t, "greet_delay 30s stress=30s\nclient_conns 0\nmode observe\nblock off\n")
	reused := 0
	for i := range pairs {
		bot := h.guest("127.8.0.1")
		h.guest("127.8.0.2")
		bot.Write([]byte("EHLO bot\r\n"))
		fd, from := h.taken()
		next, then := h.taken()
		seen(t, fd)
		h.takeIn(fd, from)
		early := h.admitted.last
		if early == nil {
			t.Fatalf("an early talker is not served: %q", h.said())
		}
		h.takeIn(next, then)
		h.admit()
		pid := child(t, true)
		j := <-h.mtas.jobs
		if j.client != early {
			t.Fatal("another client is served")
		}
		before := tokens(h)
		h.mtaStarted(j, pid, nil)
		if after := tokens(h); len(after) != i+1 || !maps.Equal(before, after) {
			t.Fatalf("after %d pairs: %d sessions; the room's: %v", i+1, len(after),
				maps.Equal(before, after))
		}
		if n := len(h.sessions()); n != i+1 {
			t.Fatalf("its MTA is counted: %d sessions", n)
		}
		if early.session.Token() != (ledger.Session{}) {
			reused++
		}
		h.mtaExited(pid, unix.WaitStatus(0))
		if n := len(tokens(h)); n != i+1 {
			t.Fatalf("%d sessions; want %d", n, i+1)
		}
	}
	if reused > 0 {
		t.Errorf("%d keep a token that may be another's by now", reused)
	}
}

// tokens returns the sessions of the room in the ledger, by client.
func tokens(h *house) map[string]bool {
	all := map[string]bool{}
	for _, s := range h.sessions() {
		if s.Process == h.door.Process {
			all[s.Client.String()] = true
		}
	}
	return all
}
