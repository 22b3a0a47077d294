package room

import (
	"net"
	"testing"
	"time"
)

// later makes the clients in a queue older.
func later(q *queue, by time.Duration) {
	for c := range q.all {
		c.arrived -= by
		c.due -= by
		if c.passed > 0 {
			c.passed -= by
		}
	}
}

// noTurns lets no client have its turn, however many seconds pass. nextTurns lets one have its turn
// each second.
func (h *house) noTurns() { h.mtas.retry = h.now + time.Hour }

func (h *house) nextTurns() {
	h.mtas.retry, h.mtas.starts = 0, window{}
	h.mtas.starts.resize(1)
}

// inTurns lets n clients pass. One gets its MTA; the others wait for their turn, which does not
// come.
func (h *house) inTurns(n int) []*net.TCPConn {
	h.t.Helper()
	all := []*net.TCPConn{h.guest(address(0))}
	h.until("one is to be served", func() bool { return h.mtas.jobCount == 1 })
	h.noTurns()
	for i := range n - 1 {
		all = append(all, h.guest(address(1+i)))
	}
	h.until("the others have passed", func() bool { return h.turns.len == n-1 })
	return all
}

// Clients whose turn has not come within a minute are refused. They do not exceed spawn_rate, and
// do not have to wait again.
func TestExpire(t *testing.T) {
	const clients = 40
	h := build(t, "greet_delay 50ms stress=50ms\nclient_conns 0\nspawn_rate 1\n")
	all := h.inTurns(clients)
	later(&h.turns.queue, turnTime)
	h.nextTurns()
	if h.round(); h.turns.len > 0 || h.refused != clients-1 || h.mtas.jobCount != 1 {
		t.Errorf("%d are left, %d refused, %d started", h.turns.len, h.refused, h.mtas.jobCount-1)
	}
	if n := h.logged("BUSY ", "reply=421", "turn="); n != h.refused {
		t.Errorf("%d in the log; want %d: %q", n, h.refused, h.lines)
	}
	replied := 0
	again := h.awaitingQuit.first.session.Client.Addr().String()
	for c := range h.awaitingQuit.all {
		for i := range all {
			if all[i].LocalAddr().String() == c.session.Client.String() {
				expect(t, all[i], "421 4.3.2 ")
				replied++
			}
		}
	}
	if replied != h.refused {
		t.Errorf("%d get their reply; want %d", replied, h.refused)
	}
	if n := len(h.sessions()); n != h.mtas.jobCount {
		t.Errorf("%d sessions; want %d", n, h.mtas.jobCount)
	}
	h.endDialogues()
	h.until("their replies are read", func() bool { return h.draining.len == 0 })
	h.guest(again)
	before := h.held
	h.until("one is back", func() bool { return h.held > before })
	for _, c := range h.clients {
		if c != nil && c.session.Client.Addr().String() == again && c.session.Delay() != 0 {
			t.Errorf("one that has waited in vain has to wait again, %v", c.session.Delay())
		}
	}
}

// In observe mode they are not refused, but wait on.
func TestExpireObserving(t *testing.T) {
	h := build(t, "greet_delay 50ms stress=50ms\nclient_conns 0\nspawn_rate 1\nmode observe\n")
	h.inTurns(maxStarting)
	later(&h.turns.queue, turnTime)
	if h.round(); h.refused > 0 || h.turns.len != maxStarting-1 {
		t.Errorf("%d are refused, %d left", h.refused, h.turns.len)
	}
	h.nextTurns()
	h.now += time.Hour
	for range 10 {
		h.refuseOverdue()
		h.now += time.Second
		h.admit()
	}
	if h.mtas.jobCount != maxStarting || h.refused > 0 || h.logged("BUSY") > 0 {
		t.Errorf("%d started, %d refused", h.mtas.jobCount, h.refused)
	}
}

// No MTA is started for a client without a delay that has left before its turn.
func TestLeftInTurns(t *testing.T) {
	h := build(t, "greet_delay 0s\nclient_conns 0\nspawn_rate 1\n")
	all := h.inTurns(6)
	for i, c := range all[1:] {
		if i%2 == 0 {
			c.SetLinger(0) // RST
		}
		c.Close()
	}
	for c := range h.turns.all {
		seen(t, c.session.FD)
	}
	h.nextTurns()
	for range 10 {
		h.now += 2 * time.Second
		h.admit()
	}
	if h.mtas.jobCount != 1 || h.turns.len != 0 || h.logged("HANGUP ", "turn=") != 5 {
		t.Errorf("%d started, %d wait for their turn; log: %q", h.mtas.jobCount, h.turns.len,
			h.lines)
	}
	if n := len(h.sessions()); n != 1 || h.held != 1 {
		t.Errorf("%d sessions, %d held", n, h.held)
	}
}

// The same for a client with a delay, which the poller watches: the room notices at once.
func TestLeftWatched(t *testing.T) {
	h := build(t, "greet_delay 50ms stress=50ms\nclient_conns 0\nspawn_rate 1\n")
	all := h.inTurns(3)
	last := h.turns.last.session.Client.String()
	for _, c := range all {
		if c.LocalAddr().String() == last {
			c.Close()
		}
	}
	h.until("it is seen", func() bool {
		return h.logged("HANGUP ", "client="+bracketed(last)) == 1
	})
	if h.turns.len+h.mtas.jobCount != 2 {
		t.Errorf("%d wait for their turn, %d started", h.turns.len, h.mtas.jobCount)
	}
}

// bracketed returns an address as in the log.
func bracketed(addr string) string {
	host, port, _ := net.SplitHostPort(addr)
	return "[" + host + "]:" + port
}
