package room

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper"
	"sendwrap/wrapper/ledger"
)

// next is the descriptor that the next client will get.
func next(t *testing.T) int {
	t.Helper()
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	return fd
}

// One client without a descriptor is one line in the log, and does not keep the loop busy. For many
// a second line says how many.
func TestShed(t *testing.T) {
	for n := 1; n <= 40; n += 39 {
		h := build(t, "greet_delay 30s stress=30s\nclient_conns 0\n")
		h.capacity = 1
		for i, c := range h.guests(n) {
			h.until("it is refused", func() bool { return h.refused > 0 })
			h.round()
			expect(t, c, "421 4.3.2 "+wrapper.MachineName()+" ["+address(i)+"] ")
		}
		if h.refused != n || h.held != 0 || len(h.said()) != 1 ||
			h.logged("descriptors are in use; new clients get 421 4.3.2") != 1 {
			t.Errorf("%d refused, %d held; log: %q", h.refused, h.held, h.lines)
		}
		for range 3 {
			h.now += 2 * time.Second
			h.everySecond()
		}
		if h.nextSecond == 0 {
			t.Error("the room sleeps, and will not say how many they were")
		}
		h.now += time.Minute
		h.everySecond()
		h.said()
		want := 1
		if n > 1 {
			want = 2
			if h.logged(fmt.Sprintf("%d more clients got 421 4.3.2 because ", n-1)) != 1 {
				t.Errorf("log: %q", h.lines)
			}
		}
		for range 3 {
			h.now += time.Minute + time.Second
			h.everySecond()
		}
		if len(h.said()) != want {
			t.Errorf("log: %q; want %d lines", h.lines, want)
		}
		if h.nextSecond != 0 {
			t.Error("it ticks on for ever")
		}
	}
}

// The log says once what to do, however long it goes on, and once more after a quiet minute.
func TestShedGoesOn(t *testing.T) {
	h := build(t, "greet_delay 30s stress=30s\nclient_conns 0\n")
	h.capacity = 1
	var want []string
	come := func(lines ...string) {
		t.Helper()
		before := h.refused
		h.guest("127.8.0.1")
		h.until("it is refused", func() bool { return h.refused > before })
		want = append(want, lines...)
	}
	come("raise LimitNOFILE")
	began := h.now
	for i := range 6 {
		if i < 4 {
			come()
			want = append(want, " more clients got 421 4.3.2 because ")
		}
		h.now = began + time.Duration(i+1)*(time.Minute+time.Second)
		h.everySecond()
	}
	come("raise LimitNOFILE")
	lines := h.said()
	for i, text := range want {
		if len(lines) != len(want) || !strings.Contains(lines[i], text) {
			t.Fatalf("log: %q; want %q", lines, want)
		}
	}
}

// The last descriptors are for clients that need not wait.
func TestFull(t *testing.T) {
	h := build(t, "greet_delay 30s stress=30s\n")
	err := h.door.Ledger.Do(ledger.Now(), func(tx *ledger.Tx) {
		tx.Remember(netip.MustParsePrefix("127.8.0.2/32"), time.Hour)
	})
	if err != nil {
		t.Fatal(err)
	}
	stranger := h.guest("127.8.0.1")
	h.capacity = next(t) + 1
	h.until("the stranger is refused", func() bool { return h.refused == 1 && h.held == 0 })
	expect(t, stranger, "421 4.3.2 ")
	if n := len(h.sessions()); n != 0 || h.logged("descriptors are in use") != 1 {
		t.Errorf("%d sessions; log: %q", n, h.lines)
	}
	known := h.guest("127.8.0.2")
	h.capacity = next(t) + 1
	h.until("the known one is about to be served", func() bool { return h.mtas.starting == 1 })
	known.Close()
	h.guest("127.8.0.3")
	h.capacity = next(t) + 200 // some are left
	h.until("another stranger waits", func() bool { return h.held == 2 })
}

// Above the limit a new client gets the descriptor of a client that had time to read its reply, and
// of no other.
func TestLower(t *testing.T) {
	for _, rested := range []bool{true, false} {
		h := build(t, "greet_delay 0s\n")
		bot, good := h.guest("127.8.0.1"), h.guest("127.8.0.2")
		bot.Write([]byte("EHLO bot\r\n"))
		fd, from := h.taken()
		seen(t, fd)
		h.takeIn(fd, from)
		if h.draining.len != 1 {
			t.Fatal("the early talker is not refused")
		}
		place := h.draining.first.session.FD
		fd, from = h.taken()
		h.capacity = fd
		if h.now = h.draining.first.refused; rested {
			h.now += minReadTime
		}
		h.takeIn(fd, from)
		expect(t, bot, "554 5.5.1 ")
		if err := unix.Fstat(fd, new(unix.Stat_t)); err != unix.EBADF {
			t.Errorf("rested %v: the high descriptor is open still: %v", rested, err)
		}
		if rested {
			if h.turns.len != 1 || h.turns.first.session.FD != place || h.held != 1 {
				t.Errorf("%d wait for their turn, %d held", h.turns.len, h.held)
			}
			continue
		}
		expect(t, good, "421 4.3.2 ")
		if h.turns.len != 0 || h.held != 1 || h.draining.len != 1 {
			t.Errorf("not rested: %d wait for their turn, %d held", h.turns.len, h.held)
		}
	}
}

// taken accepts the next client as the room does.
func (h *house) taken() (fd int, from syscall.Sockaddr) {
	h.t.Helper()
	seen(h.t, h.listeners[0].fd)
	fd, from, err := syscall.Accept4(h.listeners[0].fd, unix.SOCK_CLOEXEC)
	if err != nil {
		h.t.Fatal(err)
	}
	return fd, from
}

// seen waits until our end shows what a client has done.
func seen(t *testing.T, fd int) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP}}
	if n, err := unix.Poll(fds, int(lab.Patience/time.Millisecond)); n != 1 {
		t.Fatalf("nothing is seen of the client on fd %d: %v", fd, err)
	}
}
