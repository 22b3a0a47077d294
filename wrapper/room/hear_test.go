package room

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

const denyAll = "deny 127.0.0.0/8\n"

// reads returns the lines that a client receives up to now and for a moment, without CRLF.
func (h *house) reads(c *net.TCPConn, n int) (lines []string) {
	h.t.Helper()
	done := make(chan []string, 1)
	go func() {
		_ = c.SetReadDeadline(time.Now().Add(lab.Patience))
		var lines []string
		for in := bufio.NewReader(c); len(lines) < n; {
			line, err := in.ReadString('\n')
			if err != nil {
				lines = append(lines, err.Error())
				break
			}
			lines = append(lines, strings.TrimSuffix(line, "\r\n"))
		}
		done <- lines
	}()
	h.until("the client has read", func() bool {
		select {
		case lines = <-done:
			return true
		default:
			return false
		}
	})
	return lines
}

// says lets a client send something and read lines, which must begin as wanted; EOF is the end.
func (h *house) says(c *net.TCPConn, text string, want ...string) {
	h.t.Helper()
	fmt.Fprint(c, text)
	got := h.reads(c, len(want))
	for i := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], want[i]) {
			h.t.Fatalf("the client says %q and reads %q; want %q", text, got, want)
		}
	}
}

// A denied client gets a dialogue, and keeps its descriptor until that is over.
func TestTalk(t *testing.T) {
	h := build(t, denyAll+"on_denied talk\n")
	c := h.guest("127.8.0.1")
	h.says(c, "", "220 ")
	if h.talking.len != 1 || h.held != 1 || len(h.sessions()) != 0 || h.mtas.jobCount != 0 {
		t.Errorf("%d talked to, %d held, %d counted", h.talking.len, h.held, len(h.sessions()))
	}
	if h.logged("DENIED client=[127.8.0.1]", "reply=550") != 1 {
		t.Errorf("log: %q", h.lines)
	}
	h.says(c, "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n",
		"250-", "250-", "250 ", "250 ", "550 5.7.1 ")
	h.says(c, "RCPT TO:<e@f>\r\nDATA\r\nQUIT\r\n", "550 5.7.1 ", "554 ", "221 ", "EOF")
	c.Close()
	h.until("it is closed", func() bool { return h.held == 0 })
	if len(h.lines) != 1 || h.refused != 1 || h.counts()["DENIED"] != 1 {
		t.Errorf("%d refused, %v; log: %q", h.refused, h.counts(), h.lines)
	}
}

// A waiting client gets a dialogue, too, when new rules deny it.
func TestTalkInTheMidst(t *testing.T) {
	h := build(t, slow+"teaser hello\n")
	c := h.guest("127.8.0.1")
	h.says(c, "", "220-hello")
	h.configure(slow + denyAll + "on_denied talk\n")
	h.reload()
	h.says(c, "", "220 ")
	h.says(c, "EHLO x\r\nRCPT TO:<c@d>\r\n", "250-", "250-", "250 ", "550 5.7.1 ")
	h.says(c, "QUIT\r\n", "221 ", "EOF")
	if n := len(h.sessions()); n > 0 || h.logged("DENIED", "reply=550") != 1 {
		t.Errorf("%d sessions; log: %q", n, h.lines)
	}
}

// Clients in a dialogue have their verdict: another ledger does not count them, and a new block
// does not refuse them again.
func TestHeardAreNoSessions(t *testing.T) {
	h := build(t, slow+"deny 127.8.0.1\non_denied talk\nclient_rate 1/1h\n")
	talked, waits := h.guest("127.8.0.1"), h.guest("127.8.0.2")
	h.guest("127.7.0.1")
	h.until("they are here", func() bool { return h.held == 3 })
	parts := h.guest("127.8.0.2")
	h.until("one may say QUIT", func() bool { return h.awaitingQuit.len == 1 })
	later(&h.awaitingQuit, -time.Hour) // however slow the machine is
	later(&h.talking, -time.Hour)
	h.says(talked, "", "220 ")
	h.says(parts, "", "421 4.7.0 ")
	if h.talking.len != 1 || h.awaitingQuit.len != 1 {
		t.Fatalf("%d are talked to, %d may say QUIT", h.talking.len, h.awaitingQuit.len)
	}
	h.changeLedger()
	if n := len(h.sessions()); n != 2 {
		t.Errorf("%d sessions are counted; want those of the two that wait", n)
	}
	h.block("127.8.0.0/24")
	h.until("one that waits is refused", func() bool { return h.refused == 3 })
	h.look()
	if h.logged("BLOCKED") != 1 || h.logged("DENIED") != 1 || h.logged("RATE") != 1 {
		t.Errorf("log: %q", h.lines)
	}
	h.says(talked, "QUIT\r\n", "221 ", "EOF")
	h.says(parts, "QUIT\r\n", "221 ", "EOF")
	expect(t, waits, "421 4.7.1 ")
}

// A dialogue ends after half a minute, the wait for QUIT after two seconds.
func TestHeardFor(t *testing.T) {
	for _, tt := range []struct {
		conf  string
		long  time.Duration
		reads []string
	}{
		{"on_denied talk\n", 30 * time.Second, []string{"220 ", "421 4.7.0 ", "EOF"}},
		{"", 2 * time.Second, []string{"554 5.7.1 ", "EOF"}},
	} {
		h := build(t, denyAll+tt.conf)
		c := h.guest("127.8.0.1")
		h.until("it is refused", func() bool { return h.refused == 1 })
		q := &h.talking
		if tt.conf == "" {
			q = &h.awaitingQuit
		}
		if q.len != 1 || q.first.due != q.first.refused+tt.long {
			t.Fatalf("%q: %d are heard, for %v", tt.conf, q.len, q.first.due-q.first.refused)
		}
		h.nextSecond = 0
		if p := h.pause(); p < 0 || p > tt.long {
			t.Errorf("%q: the room sleeps for %v", tt.conf, p)
		}
		later(q, tt.long)
		h.round()
		if q.len > 0 || h.draining.len != 1 {
			t.Errorf("%q: it is heard on", tt.conf)
		}
		fmt.Fprint(c, "NOOP\r\n") // which gets no answer any more
		if got := h.reads(c, len(tt.reads)); !prefixes(got, tt.reads) {
			t.Errorf("%q: the client reads %q; want %q", tt.conf, got, tt.reads)
		}
	}
}

func prefixes(got, want []string) bool {
	for i := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], want[i]) {
			return false
		}
	}
	return true
}

// A client that gets the refusal as its greeting, and has not spoken early, is heard until it says
// QUIT.
func TestQuit(t *testing.T) {
	for _, tt := range []struct{ conf, greeting, answer string }{
		{denyAll, "554 5.7.1 ", "503 5.5.1 "},
		{slow + "client_rate 1/1h\n", "421 4.7.0 ", "421 4.7.0 "},
		{slow + "client_conns 1\n", "421 4.7.0 ", "421 4.7.0 "},
		{slow + "max_waiting 1\n", "421 4.3.2 ", "421 4.3.2 "},
	} {
		h := build(t, tt.conf)
		h.guest("127.8.0.1")
		h.until("the first is here", func() bool { return h.held == 1 })
		before := h.refused
		c := h.guest("127.8.0.1")
		h.until("it is refused", func() bool { return h.refused > before })
		later(&h.awaitingQuit, -time.Hour) // however slow the machine is
		h.says(c, "", tt.greeting)
		h.says(c, "EHLO x\r\n", tt.answer)
		h.says(c, "QUIT\r\n", "221 ", "EOF")
	}
}

// Clients that are blocked, or spoke before the greeting, are not heard.
func TestAttackersAreNotHeard(t *testing.T) {
	h := build(t, slow)
	early := h.guest("127.8.0.1")
	fmt.Fprint(early, "EHLO bot\r\n")
	h.until("it is refused", func() bool { return h.refused == 1 })
	h.block("127.8.0.2/32")
	h.guest("127.8.0.2")
	h.until("the other is", func() bool { return h.refused == 2 })
	if h.awaitingQuit.len+h.talking.len != 0 || h.logged("PREGREET") != 1 ||
		h.logged("BLOCKED") != 1 {
		t.Errorf("%d are heard; log: %q", h.awaitingQuit.len, h.lines)
	}
}

// The poller reports nothing about a client after its dialogue, whatever it sends: otherwise the
// loop would spin.
func TestUnheard(t *testing.T) {
	h := build(t, denyAll)
	c := h.guest("127.8.0.1")
	h.until("it is refused", func() bool { return h.refused == 1 })
	place := h.awaitingQuit.first.session.FD
	h.endDialogues()
	fmt.Fprint(c, "NOOP\r\n")
	seen(t, place)
	events, err := h.poller.wait(0)
	for _, e := range events {
		if int(e.Fd) == place {
			t.Error("the poller tells of it")
		}
	}
	if err != nil || h.draining.len != 1 {
		t.Errorf("%d read their replies; %v", h.draining.len, err)
	}
}

// Dialogues delay neither the end of the room nor a handover.
func TestHeardHoldUpNothing(t *testing.T) {
	h := build(t, denyAll+"on_denied talk\n")
	ends := h.appear(3)
	h.beginShutdown()
	h.until("it is over", func() bool { return h.stage == over })
	for _, fd := range ends {
		if got := hears(fd); !strings.HasPrefix(got, "220 ") ||
			!strings.Contains(got, "\r\n421 4.7.0 ") {
			t.Errorf("a client reads %q", got)
		}
	}
	h = build(t, denyAll+"on_denied talk\n")
	ends = h.appear(3)
	h.replacement = &replacement{"/nonexistent", h.now}
	h.tryHandover()
	for _, fd := range ends {
		if got := hears(fd); !strings.Contains(got, "\r\n421 4.7.0 ") {
			t.Errorf("a client reads %q", got)
		}
	}
	if h.talking.len != 0 || h.draining.len != 3 {
		t.Errorf("%d are talked to, %d read their replies", h.talking.len, h.draining.len)
	}
	h.appear(1)
	if h.talking.len+h.awaitingQuit.len != 0 {
		t.Error("one is heard while the program is replaced")
	}
}
