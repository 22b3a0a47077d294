package room

import (
	"net/netip"
	"os"
	osexec "os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/ledger"
)

// lock holds the ledger's lock, as somebody else does who has opened the file.
func (h *house) lock() (unlock func()) {
	h.t.Helper()
	fd, err := unix.Open(h.file("state/ledger"), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_EX)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return func() { unix.Close(fd) }
}

// stall has a process hold the ledger's lock that is stopped.
func (h *house) stall() (end func()) {
	h.t.Helper()
	cmd := osexec.Command(os.Args[0], "hold", h.file("state/ledger"))
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	end = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	h.t.Cleanup(end)
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		h.t.Fatal(err)
	}
	return end
}

// crowd has somebody else work on the ledger all the time, in the place of many.
func (h *house) crowd() (end func()) {
	h.t.Helper()
	l, _, err := ledger.Open(h.file("state/ledger"), 1024, ledger.ThisBoot())
	if err != nil {
		h.t.Fatal(err)
	}
	var stop atomic.Bool
	begun, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread() // which is seen to work
		_ = l.Do(ledger.Now(), func(*ledger.Tx) {
			close(begun)
			for !stop.Load() {
			}
		})
		_ = l.Close()
	}()
	<-begun
	return func() { stop.Store(true); <-done }
}

// Others have the ledger: not each client waits for it, and everybody else with it.
func TestLedgerHeld(t *testing.T) {
	const arrivals = 60
	for _, tt := range []struct {
		name string
		by   func(*house) (end func())
	}{
		{"nobody", func(*house) func() { return func() {} }},
		{"crowd", (*house).crowd},
		{"stopped", (*house).stall},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := build(t, slow+"client_conns 0\n")
			h.guests(arrivals)
			end := tt.by(h)
			began := time.Now()
			waiting := func() int { return h.held - h.draining.len }
			h.until("all have arrived", func() bool { return waiting()+h.refused == arrivals })
			took := time.Since(began)
			end()
			// How often the ledger is tried meanwhile the ledger's TestHandleRests sees.
			lines := h.logged("carrying on without limits and memory")
			most, some := 1+int(took/time.Minute), tt.name == "stopped"
			if lines > most || (lines > 0) != some {
				t.Errorf("%d lines in %v; want %d at most", lines, took, most)
			}
			if n := waiting(); n != arrivals { // and whether one is too many is asked when it has waited
				t.Errorf("%d of %d wait", n, arrivals)
			}
		})
	}
}

// The ledger could not be told that a client has left. It learns it although nobody comes any more,
// and then the room sleeps.
func TestOwing(t *testing.T) {
	h := build(t, slow)
	h.begin()
	c := h.guest("127.8.0.1")
	h.until("it waits", func() bool { return h.held == 1 })
	unlock := h.lock()
	c.Write([]byte("EHLO bot\r\n"))
	h.until("it is refused", func() bool { return h.held == 0 })
	unlock()
	if n := len(h.sessions()); n != 1 || !h.door.Ledger.NeedsResync() {
		t.Fatalf("%d sessions, owing: %v; the test proves nothing", n, h.door.Ledger.NeedsResync())
	}
	for range 5 { // also beyond the next tick, which the ledger's pause outlasts
		h.tickAt = min(h.tickAt, h.now)
		if h.round(); !h.door.Ledger.NeedsResync() {
			break
		}
		if h.tickAt == 0 {
			t.Fatal("the room sleeps for ever and owes the ledger something")
		}
	}
	h.until("the ledger knows", func() bool { return len(h.sessions()) == 0 })
	h.until("the room sleeps", func() bool { return h.tickAt == 0 })
	if h.door.Ledger.NeedsResync() {
		t.Error("still owing")
	}
}

// An MTA whose beginning the ledger could not be told is its session's process later on.
func TestOwingMTA(t *testing.T) {
	h := build(t, "allow 127.0.0.0/8\n")
	c := h.guest("127.8.0.1")
	h.until("it is about to be served", func() bool { return h.mtas.starting == 1 })
	unlock := h.lock()
	pid := child(t, true)
	h.started(<-h.mtas.jobs, pid, nil)
	unlock()
	s := h.sessions()
	if len(s) != 1 || s[0].Process.PID == pid {
		t.Fatalf("%+v; the test proves nothing", s)
	}
	h.until("the ledger knows", func() bool {
		s := h.sessions()
		return len(s) == 1 && s[0].Process.PID == pid && s[0].Serving
	})
	c.Close()
}

// What a room that was killed has left, and has been freed by somebody just before its MTA was
// found, is counted again.
func TestOrphans(t *testing.T) {
	h := build(t, "greet_delay 0s\n")
	client := netip.MustParseAddrPort("192.0.2.1:1025")
	for _, tt := range []struct {
		name  string
		mta   int
		freed bool
		want  int
	}{
		{"there", os.Getpid(), false, 1},
		{"freed meanwhile", os.Getpid(), true, 1},
		{"without an MTA", 0, false, 0},
	} {
		dead := ledger.Process{PID: 1<<22 - 1, Start: 5, Shared: true}
		err := h.door.Ledger.Do(ledger.Now(), func(tx *ledger.Tx) {
			s, _ := tx.Enter(ledger.Arrival{Client: client, Network: netip.MustParsePrefix("192.0.2.1/32")}, dead)
			tx.Serve(s)
		})
		if err != nil {
			t.Fatal(err)
		}
		orphans := h.door.Orphans()
		if len(orphans) != 1 || orphans[0].Client != client {
			t.Fatalf("%s: orphans %+v", tt.name, orphans)
		}
		if tt.freed {
			err = h.door.Ledger.Do(ledger.Now(), func(tx *ledger.Tx) { tx.Leave(orphans[0].Session) })
		}
		if h.door.Adopt(orphans[0], tt.mta); err != nil {
			t.Fatal(err)
		}
		s := h.sessions()
		if len(s) != tt.want || tt.want > 0 && (s[0].Client != client || !s[0].Serving || s[0].Process.PID != tt.mta || s[0].Process.Shared) {
			t.Errorf("%s: %+v", tt.name, s)
		}
		err = h.door.Ledger.Do(ledger.Now(), func(tx *ledger.Tx) {
			tx.FreeExcept(ledger.Self(), func(ledger.Session) bool { return false })
		})
		if err != nil || len(h.sessions()) > 0 {
			t.Fatalf("%s: %v, %+v", tt.name, err, h.sessions())
		}
	}
}
