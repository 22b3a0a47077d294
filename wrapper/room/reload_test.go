package room

import (
	"errors"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// reread has the room read its configuration anew.
func (h *house) reread(conf string) {
	h.t.Helper()
	h.configure(conf)
	h.reload()
	h.until("it is read", func() bool { return !h.reading })
}

// Those who wait for their turn get on when the limit is raised.
func TestReloadLimit(t *testing.T) {
	const conf = "greet_delay 50ms stress=50ms\nclient_conns 0\n"
	h := build(t, conf+"max_sessions 1\n")
	h.guests(4)
	h.until("three wait for their turn", func() bool { return h.mtas.numbered == 1 && h.turns.len == 3 })
	h.reread(conf + "max_sessions 100\n")
	h.until("they get on", func() bool { return h.mtas.numbered == 4 })
}

// A network that is denied is refused at the end of its delay. So is nobody else.
func TestReloadDeny(t *testing.T) {
	const conf = slow + "client_conns 0\n"
	h := build(t, conf)
	denied, other := h.guest("127.8.0.1"), h.guest("127.8.1.1")
	h.until("both wait", func() bool { return h.held == 2 })
	h.reread(conf + "deny 127.8.0.0/24\n")
	if h.held != 2 || h.refused > 0 {
		t.Errorf("%d are refused at once", h.refused)
	}
	for _, q := range h.delays {
		later(q, longDelay)
	}
	h.until("it is over", func() bool { return h.refused == 1 && h.mtas.starting == 1 })
	expect(t, denied, "554 5.7.1 ")
	if h.logged("DENIED client=[127.8.0.1]", "rule=", "reply=554") != 1 {
		t.Errorf("log: %q", h.lines)
	}
	other.Close()
	if n := len(h.sessions()); n != 1 {
		t.Errorf("%d sessions; want the other's", n)
	}
}

// A configuration with mistakes changes nothing, not even what is right in it; the log says so of each.
func TestReloadMistakes(t *testing.T) {
	h := build(t, slow)
	held := h.door.Config
	h.reread("greet_delay 5\nmax_sessions 7\n")
	if h.door.Config != held {
		t.Error("it holds")
	}
	if h.logged("greet_delay", "no unit") != 1 || h.logged("what held before holds on") != 1 || h.logged("(skipped)") != 0 || h.logged("read anew") != 0 {
		t.Errorf("log: %q", h.lines)
	}
	h.reread("greet_delay 5s\nmax_sessions 7\n")
	if h.door.Config.MaxSessions != 7 || h.logged("read anew") != 1 {
		t.Errorf("max_sessions is %d; log: %q", h.door.Config.MaxSessions, h.lines)
	}
}

// Where there is none that could hold on, what is wrong is skipped, and the log says that.
func TestFurnishMistakes(t *testing.T) {
	h := build(t, "greet_delay 5\nmax_sessions 7\n")
	if h.door.Config.MaxSessions != 7 || h.logged("greet_delay", "(skipped)") != 1 {
		t.Errorf("max_sessions is %d; log: %q", h.door.Config.MaxSessions, h.lines)
	}
}

// SIGHUP while the room reads: what has changed since it began to is read as well.
func TestReloadTwice(t *testing.T) {
	h := build(t, "max_sessions 1\n")
	h.configure("max_sessions 2\n")
	h.reload()
	for len(h.notices.posts) == 0 {
		time.Sleep(time.Millisecond)
	}
	h.configure("max_sessions 3\n") // the loop has not heard yet that it was read
	h.reload()
	h.configure("max_sessions 4\n")
	h.reload()
	h.until("it is read", func() bool { return !h.reading })
	if n := h.logged("read anew"); h.door.Config.MaxSessions != 4 || n != 2 {
		t.Errorf("max_sessions is %d after it was read %d times; want 4, 2", h.door.Config.MaxSessions, n)
	}
	h.round()
	if h.reading || h.readAgain != nil {
		t.Error("it is read for ever")
	}
}

// A room without a configuration tries to read it again and again. SIGHUP meanwhile is answered all the
// same: a service manager waits for READY=1.
func TestReloadWhileItTries(t *testing.T) {
	h := build(t, slow)
	dir, err := os.MkdirTemp("", "n") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/s", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", dir+"/s")
	h.manager = newSupervisor(false)
	defer unix.Close(h.manager.fd)

	h.unconfigured, h.tickAt = errors.New("no configuration"), 0
	h.tick()
	if !h.reading {
		t.Fatal("it does not try")
	}
	h.reload()
	h.until("it is read", func() bool { return !h.reading })
	var told []string
	for !slices.Contains(told, "READY=1") {
		_ = manager.SetReadDeadline(time.Now().Add(time.Minute))
		var text [256]byte
		n, err := manager.Read(text[:])
		if err != nil {
			t.Fatalf("the manager was told %q, then %v; want READY=1", told, err)
		}
		told = append(told, string(text[:n]))
	}
}
