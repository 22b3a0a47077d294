package room

import (
	"os"
	"strings"
	"testing"
	"time"
)

// about lets n clients come, and returns the jobs for their MTAs.
func (h *house) about(n int) (jobs []job) {
	h.t.Helper()
	h.guests(n)
	h.until("they are about to be served", func() bool { return h.mtas.jobCount >= n })
	for range n {
		jobs = append(jobs, <-h.mtas.jobs)
	}
	return jobs
}

// A child that is not an MTA exits while an MTA is being started. A later MTA with the same pid
// must not be taken for dead.
func TestStaleExit(t *testing.T) {
	h := build(t, "allow 127.0.0.0/8\n")
	first := h.about(1)[0]
	stale := child(t, false)
	ended(t, stale)
	if h.reap(); len(h.mtas.unclaimed) != 1 {
		t.Fatalf("%d unclaimed exits; want 1", len(h.mtas.unclaimed))
	}
	mta := child(t, true)
	h.guest("127.8.0.1")
	h.until("a second one is to be served", func() bool { return h.mtas.jobCount == 2 })
	second := <-h.mtas.jobs
	h.mtaStarted(second, stale, nil)
	if h.mtas.running[stale] != second.client {
		t.Error("an MTA is taken for dead since another process with its pid is")
	}
	h.mtaStarted(first, mta, nil)
	if len(h.mtas.unclaimed) != 0 || len(h.mtas.running) != 2 {
		t.Errorf("%d ends are kept, %d MTAs run", len(h.mtas.unclaimed), len(h.mtas.running))
	}
	delete(h.mtas.running, stale)
}

// The same, with no client in between.
func TestStaleExitLater(t *testing.T) {
	h := build(t, "allow 127.0.0.0/8\n")
	jobs := h.about(3)
	stale := child(t, false)
	ended(t, stale)
	h.reap()
	for _, j := range jobs {
		h.mtaStarted(j, child(t, true), nil)
	}
	if n := len(h.mtas.unclaimed); n != 0 {
		t.Errorf("%d ends are kept", n)
	}
	h.guest("127.8.0.1")
	h.until("another is to be served", func() bool { return h.mtas.jobCount == 4 })
	j := <-h.mtas.jobs
	if h.mtaStarted(j, stale, nil); h.mtas.running[stale] != j.client {
		t.Error("an MTA is taken for dead since another process with its pid is")
	}
	delete(h.mtas.running, stale)
}

// An MTA exits before the room knows that it has started.
func TestEndedAtOnce(t *testing.T) {
	h := build(t, "allow 127.0.0.0/8\n")
	c := h.guest("127.8.0.1")
	h.until("it is to be served", func() bool { return h.mtas.starting == 1 })
	pid := child(t, false)
	ended(t, pid)
	h.reap()
	h.mtaStarted(<-h.mtas.jobs, pid, nil)
	if n := len(h.mtas.running); n != 0 {
		t.Errorf("%d MTAs run", n)
	}
	expect(t, c, "421 4.3.0 ")
	if n := len(h.sessions()); n != 0 || h.busy() != (h.held > 0) {
		t.Errorf("%d sessions are left", n)
	}
}

// When the MTA has sent something, the room closes its end of the connection at the next look.
func TestReleaseServed(t *testing.T) {
	h := build(t, "allow 127.0.0.0/8\n")
	h.script("read x; echo 220 ready; read x")
	h.begin()
	c := h.guest("127.8.0.1")
	h.until("the MTA runs", func() bool { return h.silent.len == 1 })
	c.Write([]byte("x\n"))
	expect(t, c, "220 ready")
	h.keepSilent()
	h.silent.first.due = h.now
	if h.releaseServed(); h.held > 0 {
		t.Error("the connection is held when the MTA has spoken")
	}
	c.Write([]byte("QUIT\r\n"))
	h.until("the MTA has ended", func() bool { return len(h.mtas.running) == 0 })
}

// keepSilent has all MTAs been started just now, so that the time that they have to say something
// is not over.
func (h *house) keepSilent() {
	for c := range h.silent.all {
		c.started = h.now
	}
}

// An MTA has three seconds to send something.
func TestSilentMTA(t *testing.T) {
	h := build(t, "allow 127.0.0.0/8\n")
	h.script("exec sleep 600")
	h.begin()
	h.guest("127.8.0.1")
	h.until("the MTA runs", func() bool { return h.silent.len == 1 })
	c := h.silent.first
	h.keepSilent()
	c.due = h.now
	if h.releaseServed(); h.held != 1 || c.due <= h.now || c.due > h.now+100*time.Millisecond {
		t.Fatalf("%d held; next look in %v", h.held, c.due-h.now)
	}
	c.started -= 2 * time.Second
	c.due = h.now
	if h.releaseServed(); h.held != 1 {
		t.Fatal("after two seconds the connection is no longer held")
	}
	c.started -= time.Second
	c.due = h.now
	if h.releaseServed(); h.held != 0 {
		t.Error("the connection is held for ever")
	}
}

// The client of an MTA that exits before it sends anything gets 421, and the log says how it ended.
func TestSilentEnd(t *testing.T) {
	for does, want := range map[string]string{"exit 3": "status 3", "kill -9 $$": "signal 9",
		"exit 0": "status 0"} {
		h := build(t, "allow 127.0.0.0/8\n")
		h.script(does)
		h.begin()
		c := h.guest("127.8.0.1")
		h.until(does+": the MTA has ended", func() bool {
			for c := range h.silent.all { // it has longer than a machine may stop
				c.started = h.now + time.Hour
			}
			return h.refused == 1 && len(h.mtas.running) == 0
		})
		expect(t, c, "421 4.3.0 ")
		if h.logged("FAILED ", "exited ("+want+") before it sent anything", "reply=421") != 1 {
			t.Errorf("%s: log: %q", does, h.lines)
		}
		if n := len(h.sessions()); n != 0 {
			t.Errorf("%s: %d sessions are left", does, n)
		}
	}
}

// The log says once that an MTA must not be started for clients, however many come, and again when
// the configuration names another MTA.
func TestUnfit(t *testing.T) {
	h := build(t, "allow 127.0.0.0/8\n")
	unfit := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(h.file(name), []byte("\x7fELF "+text), 0o755); err != nil {
			t.Fatal(err)
		}
		h.door.Policy.MTA = []string{h.file(name), "-bs"}
	}
	logged := func(whose string) int {
		return h.logged("mta: ", " is "+whose+", and relays mail of every client to anywhere; ")
	}
	unfit("nullmailer", "nullmailer-inject")
	h.begin()
	h.appear(20)
	h.until("all are refused", func() bool { return h.refused == 20 && h.held == 0 })
	if n := logged("nullmailer's"); n != 1 {
		t.Errorf("logged %d times; want once: %q", n, h.lines)
	}
	unfit("courier", "courieresmtpd")
	h.appear(20)
	h.until("all are refused", func() bool { return h.refused == 40 && h.held == 0 })
	if n := logged("Courier's"); n != 1 || logged("nullmailer's") != 1 {
		t.Errorf("logged %d times; want once: %q", n, h.lines)
	}
}

// If no MTA can be started, every client gets 421, but the log has only a few lines about it.
func TestManyFail(t *testing.T) {
	const clients = 200
	h := build(t, "allow 127.0.0.0/8\n")
	if err := os.Remove(h.file("mta")); err != nil {
		t.Fatal(err)
	}
	ends := h.appear(clients)
	h.begin()
	h.until("all are refused", func() bool { return h.refused == clients && h.held == 0 })
	for i, fd := range ends {
		if got := hears(fd); !strings.HasPrefix(got, "421 4.3.0 ") {
			t.Fatalf("client %d hears %q", i, got)
		}
	}
	if n := h.logged("FAILED "); n != maxLines || h.logged("more clients") != 0 {
		t.Errorf("%d lines in the log; want %d", n, maxLines)
	}
	h.now += time.Minute + time.Second
	h.everySecond()
	if h.logged("195 more clients were refused because no MTA could be started") != 1 {
		t.Errorf("after a minute the log says %q", h.said()[len(h.lines)-1])
	}
	if s := h.sessions(); len(s) != 0 {
		t.Errorf("%d sessions are left", len(s))
	}
	for range 3 {
		h.now += time.Minute + time.Second
		h.everySecond()
	}
	if h.nextSecond != 0 || h.logged("more clients") != 1 {
		t.Errorf("ticks on: %v, %q", h.nextSecond > 0, h.lines[len(h.lines)-1])
	}
}
