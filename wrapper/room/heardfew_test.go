package room

import (
	"strings"
	"testing"
)

// In a flood the room waits for no QUIT, and only maxTalking denied clients get a dialogue. The
// others get 554.
func TestHeardAreFew(t *testing.T) {
	h := build(t, denyAll)
	h.appear(3 * maxAwaitingQuit)
	if h.awaitingQuit.len != maxAwaitingQuit || h.draining.len != 2*maxAwaitingQuit {
		t.Errorf("%d may say QUIT, %d read their replies", h.awaitingQuit.len, h.draining.len)
	}

	h = build(t, denyAll+"on_denied talk\ncount_by 8 64\n") // all are of one network
	h.appear(maxTalking)
	if h.talking.len != maxTalkingOf {
		t.Errorf("%d of one network are talked to; want %d", h.talking.len, maxTalkingOf)
	}

	h = build(t, denyAll+"on_denied talk\n")
	ends := h.appear(maxTalking + 3)
	if h.talking.len != maxTalking || h.awaitingQuit.len != 3 {
		t.Errorf("%d are talked to, %d may say QUIT", h.talking.len, h.awaitingQuit.len)
	}
	for i, fd := range ends {
		want := "220 "
		if i >= maxTalking {
			want = "554 5.7.1 "
		}
		if got := hears(fd); !strings.HasPrefix(got, want) {
			t.Fatalf("client %d hears %q; want %q", i, got, want)
		}
	}
}

// No client is heard while descriptors are short, and a dialogue gives its descriptor up.
func TestHeardGiveWay(t *testing.T) {
	for _, conf := range []string{denyAll, denyAll + "on_denied talk\n"} {
		h := build(t, conf)
		h.capacity = 2*next(t) + 2
		h.appear(8)
		heard := h.talking.len + h.awaitingQuit.len
		if heard == 0 || heard == 8 {
			t.Fatalf("%q: %d are heard", conf, heard)
		}
		h.guest("127.8.0.1")
		fd, from := h.taken()
		h.capacity = fd
		h.takeIn(fd, from)
		if h.talking.len+h.awaitingQuit.len > 0 {
			t.Errorf("%q: %d are heard still", conf, h.talking.len+h.awaitingQuit.len)
		}
	}
}
