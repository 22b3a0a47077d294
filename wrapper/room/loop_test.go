package room

import (
	"testing"
	"time"
)

// While maxStarting MTAs are being started, or during a handover, the loop sleeps although clients
// wait for their turn.
func TestPause(t *testing.T) {
	const strangers = 5
	h := build(t, "greet_delay 50ms stress=50ms\nclient_conns 0\n"+
		"spawn_rate 1000\nallow 127.8.0.0/16\n")
	for range maxStarting + 3 {
		h.guest("127.8.0.1")
	}
	h.guests(strangers)
	h.until("all wait for a start", func() bool { return h.turns.len == strangers })
	if h.mtas.starting != maxStarting || h.admitted.len != 3 {
		t.Fatalf("%d on their way, %d admitted; want %d, 3", h.mtas.starting, h.admitted.len,
			maxStarting)
	}
	h.nextSecond, h.scan.lookAt = h.now+time.Minute, h.now+time.Minute
	if p := h.pause(); p < time.Second {
		t.Errorf("all on their way: the loop sleeps for %v", p)
	}
	for h.admitted.first != nil { // as if they had never come
		h.close(h.admitted.first)
	}
	if p := h.pause(); p < time.Second {
		t.Errorf("all on their way, and none admitted: the loop sleeps for %v", p)
	}

	for h.mtas.starting > 0 {
		<-h.mtas.jobs
		h.mtas.starting--
	}
	h.replacement = &replacement{"/nonexistent", h.now}
	if p := h.pause(); p <= 0 {
		t.Errorf("replacing: the loop sleeps for %v", p)
	}
	if h.admit(); h.mtas.starting > 0 || h.turns.len != strangers {
		t.Errorf("replacing: %d are started", h.mtas.starting)
	}
	h.replacement = nil
	if p := h.pause(); p != 0 {
		t.Errorf("the loop sleeps for %v although clients may go on", p)
	}
}

// While clients wait, the loop wakes up to look for new blocks, and only for that.
func TestPauseForBlocks(t *testing.T) {
	h := build(t, slow)
	h.guest("127.8.0.1")
	h.until("it waits", func() bool { return h.held == 1 })
	h.scan.lookAt = 0
	h.scanWaiting()
	h.nextSecond = h.now + time.Minute
	if p := h.pause(); p != scanEvery {
		t.Errorf("the loop sleeps for %v; want %v", p, scanEvery)
	}
}

// An empty room sleeps until a client comes.
func TestPauseEmpty(t *testing.T) {
	h := build(t, "greet_delay 0s\n")
	h.begin()
	h.round()
	speaks(t, h.guest("127.8.0.1"))
	fd, from := h.taken()
	seen(t, fd)
	h.takeIn(fd, from) // PREGREET
	h.until("it is refused", func() bool { return h.refused == 1 && h.held == 0 })
	h.until("nothing is due", func() bool { return h.nextSecond == 0 })
	if p := h.pause(); p >= 0 {
		t.Errorf("the loop sleeps for %v", p)
	}
}
