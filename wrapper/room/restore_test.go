package room

import (
	"encoding/json"
	"io"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stands is what the next program must know about a client.
type stands struct {
	client                       string
	arrived, passed, due         time.Duration
	started                      time.Duration
	transferred, known, observed bool
}

// everybody returns the clients in a room, in the order of each queue, and its MTAs.
func everybody(r *room) (queues map[string][]stands, mtas map[int]stands) {
	queues, mtas = map[string][]stands{}, map[int]stands{}
	of := func(c *client) stands {
		s := c.session
		return stands{s.Client.String(), c.arrived, c.passed, c.due, c.started, c.transferred,
			s.Delay() == 0, s.Served()}
	}
	note := func(name string, q *queue) {
		for c := range q.all {
			at := of(c)
			if name == "admitted" {
				at.due = 0 // no longer matters
			}
			queues[name] = append(queues[name], at)
		}
	}
	note("turns", &r.turns.queue)
	note("admitted", &r.admitted)
	for d, q := range r.delays {
		note(d.String(), q)
	}
	for pid, c := range r.mtas.running {
		at := of(c)
		at.arrived, at.passed, at.due = 0, 0, 0
		mtas[pid] = at
	}
	return queues, mtas
}

// takeOver lets a new program go on with the room, with the present configuration.
func (h *house) takeOver() {
	h.t.Helper()
	f, err := h.save()
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	var all handover
	if err == nil {
		err = json.NewDecoder(f).Decode(&all)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	f.Close()
	successor, err := newRoom(h.Options)
	if err != nil {
		h.t.Fatal(err)
	}
	successor.restore(&all)
	h.clients, h.held = nil, 0
	h.silence()
	h.room = successor // raze cleans it up
}

// The next program has every client where the program before left it.
func TestRestore(t *testing.T) {
	const conf = "greet_delay 50ms stress=50ms\nclient_conns 0\n" +
		"spawn_rate 1\nallow 127.8.0.0/16\n" +
		"client 127.9.0.3 greet_delay=280s\nclient 127.9.0.4 greet_delay=280s\n" +
		"client 127.9.0.5 greet_delay=290s\nclient 127.9.0.6 greet_delay=290s\n"
	h := build(t, conf)
	served := h.guest("127.8.0.1")
	h.until("one is to be served", func() bool { return h.mtas.starting == 1 })
	pid := child(t, true)
	h.mtaStarted(<-h.mtas.jobs, pid, nil)
	h.close(h.silent.first)
	h.noTurns()
	guests := h.guests(10)
	h.until("some have passed", func() bool { return h.turns.len == 6 })
	h.replacement = &replacement{"/nonexistent", h.now}
	guests = append(guests, h.guest("127.8.0.2"), h.guest("127.8.0.3"))
	h.now = h.clock.now()
	h.listeners[0].ready, h.listeners[0].most = true, acceptBatch
	if err := h.accept(); err != nil || h.admitted.len != 2 || h.held != 12 {
		t.Fatalf("%v, %d admitted, %d held", err, h.admitted.len, h.held)
	}
	queues, mtas := everybody(h.room)
	if len(queues) != 4 || len(queues["turns"]) != 6 || len(queues["4m40s"]) != 2 ||
		len(mtas) != 1 {
		t.Fatalf("%+v", queues)
	}

	h.configure(conf + "deny 127.9.0.6\n")
	h.takeOver()
	now, runs := everybody(h.room)
	for name, q := range queues {
		if !slices.Equal(now[name], q) {
			t.Errorf("%s: %+v\nwant %+v", name, now[name], q)
		}
	}
	if len(now) != len(queues) || len(runs) != 1 || runs[pid] != mtas[pid] {
		t.Errorf("%d queues; MTAs %+v; want %+v", len(now), runs, mtas)
	}
	h.resyncLedger()
	if n := len(h.sessions()); n != 13 {
		t.Errorf("%d sessions; want all 13", n)
	}
	if h.held != 12 {
		t.Errorf("%d held", h.held)
	}

	// They go on by the present rules: the room watches clients in their delay, starts MTAs for the
	// admitted ones, and notices the end of an MTA.
	guests[3].Write([]byte("EHLO bot\r\n")) // 127.9.0.4, in its 280s
	h.until("they go on", func() bool {
		return h.mtas.starting >= 3 && h.logged("PREGREET client=[127.9.0.4]") == 1 &&
			h.logged("DENIED client=[127.9.0.6]") == 1
	})
	for _, from := range []string{"127.8.0.2", "127.8.0.3"} {
		if j := <-h.mtas.jobs; j.client.session.Client.Addr().String() != from {
			t.Errorf("%v is served in the place of %s", j.client.session.Client, from)
		}
	}
	served.Close()
	_ = unix.Kill(pid, unix.SIGTERM)
	h.until("the MTA's end is heeded", func() bool { return len(h.mtas.running) == 0 })
	if h.logged("ENDED client=[127.8.0.1]", "after=", "signal=15") != 1 {
		t.Errorf("log: %q", h.lines)
	}
	for _, s := range h.sessions() {
		if s.Process.PID == pid || s.Client.Addr().String() == "127.8.0.1" {
			t.Errorf("its session is left: %+v", s)
		}
	}
}

// What the program before has asked of DNS is gone with it, so the next program asks.
func TestRestoreAsked(t *testing.T) {
	dead, n := nameserver(t), nameserver(t)
	dead.Hold("")
	h := build(t, slow+lists(dead))
	h.guest("127.9.0.1")
	h.guest("127.9.0.3")
	h.until("both are asked about", func() bool {
		return dead.Asked("1.0.9.127.key.bad.example") > 0 &&
			dead.Asked("3.0.9.127.key.bad.example") > 0
	})
	h.configure(slow + lists(n))
	h.takeOver()
	if fd, _ := h.door.DNSDescriptor(); fd < 0 {
		t.Error("it waits for what nobody asks any more")
	}
	h.resyncLedger()
	h.until("the one that is listed is refused", func() bool {
		return h.logged("DNSBL client=[127.9.0.1]") == 1
	})
	h.until("the other is asked about", func() bool {
		return n.Asked("3.0.9.127.key.bad.example") > 0
	})
	if h.held > 2 || h.countWaiting() != 1 {
		t.Errorf("%d held, %d wait; want the other to wait", h.held, h.countWaiting())
	}
}
