package room

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper"
)

// reread lets the room read a new configuration.
func (h *house) reread(conf string) {
	h.t.Helper()
	h.configure(conf)
	h.reload()
	h.until("it is read", func() bool { return !h.reading })
}

// beginReread is reread up to the round in which the loop gets the new configuration.
func (h *house) beginReread(conf string) {
	h.t.Helper()
	h.configure(conf)
	h.reload()
	lab.Eventually(h.t, "the configuration is read", func() bool {
		return len(h.notices.posts) > 0
	})
}

// Clients that wait for their turn go on when the limit is raised.
func TestReloadLimit(t *testing.T) {
	const conf = "greet_delay 50ms stress=50ms\nclient_conns 0\n"
	h := build(t, conf+"max_sessions 1\n")
	h.guests(4)
	h.until("three wait for their turn", func() bool {
		return h.mtas.jobCount == 1 && h.turns.len == 3
	})
	h.reread(conf + "max_sessions 100\n")
	h.until("they get on", func() bool { return h.mtas.jobCount == 4 })
}

// Waiting clients that new rules allow or deny wait no longer. All others wait on.
func TestReloadRules(t *testing.T) {
	for _, mode := range []string{"", "block kill=off\n"} {
		conf := slow + "client 127.7.0.0/16 greet_delay=0s\nclient_conns 0\n" + mode
		h := build(t, conf)
		h.guest("127.7.1.1")
		h.until("one gets its MTA", func() bool { return h.mtas.jobCount == 1 })
		h.noTurns()
		denied, deniedInTurn := h.guest("127.8.0.1"), h.guest("127.7.0.1")
		h.guest("127.8.2.1") // is allowed
		h.guest("127.7.2.1") // likewise, in the queue for a turn
		h.guest("127.8.1.1") // waits on
		h.guest("127.7.1.2") // likewise, in the queue
		h.until("all wait", func() bool { return h.held == 7 && h.turns.len == 3 })
		h.look()
		h.beginReread(conf + "deny 127.8.0.0/24 127.7.0.0/24\nallow 127.8.2.0/24 127.7.2.0/24\n")
		h.scan.lookAt = 0 // for blocks, in the same round
		h.until("the allowed ones are served at once", func() bool { return h.mtas.jobCount == 3 })
		h.until("the denied ones are refused at once", func() bool { return h.refused == 2 })
		expect(t, denied, "554 5.7.1 ")
		expect(t, deniedInTurn, "554 5.7.1 ")
		h.until("all are looked at", func() bool { return h.scan.left == 0 })
		if h.turns.len != 1 || h.delays[longDelay].len != 1 || h.scan.rules {
			t.Errorf("%d wait for a turn, and %d delays; want 1, 1", h.turns.len, len(h.delays))
		}
		for _, client := range []string{"127.8.0.1", "127.7.0.1"} {
			if h.logged("DENIED client=["+client+"]", "rule=", "reply=554") != 1 {
				t.Errorf("log of %s: %q", client, h.lines)
			}
		}
		if got := h.counts(); got["ALLOWED"] != 2 || got["DENIED"] != 2 || got["PASS"] != 1 {
			t.Errorf("counted %v", got)
		}
		if n := len(h.sessions()); n != 5 {
			t.Errorf("%d sessions; want 3 with MTAs, and 2 that wait", n)
		}
	}
}

// A client that new rules allow is not refused for what happens before the room looks at it.
func TestReloadAllowFirst(t *testing.T) {
	h := build(t, slow+"client_conns 0\n")
	early, blocked := h.guest("127.8.0.1"), h.guest("127.8.0.2")
	h.until("both wait", func() bool { return h.held == 2 })
	h.look()
	h.beginReread(slow + "client_conns 0\nallow 127.8.0.0/24\n")
	if _, err := early.Write([]byte("EHLO client.example\r\n")); err != nil {
		t.Fatal(err)
	}
	h.block("127.8.0.2/32") // and the next round sees all three
	h.scan.lookAt = 0
	h.until("both are served", func() bool { return h.mtas.jobCount == 2 })
	if got := h.counts(); got["ALLOWED"] != 2 || got["PREGREET"]+got["BLOCKED"] != 0 {
		t.Errorf("counted %v", got)
	}
	blocked.Close()
}

// A configuration with mistakes changes nothing, not even by its correct lines, and the log names
// each mistake.
func TestReloadMistakes(t *testing.T) {
	h := build(t, slow)
	held := h.door.Policy
	h.reread("greet_delay 5\nmax_sessions 7\n")
	if h.door.Policy != held {
		t.Error("it is used")
	}
	if h.logged("greet_delay", "no unit") != 1 ||
		h.logged("keeping the previous configuration") != 1 || h.logged("(skipped)") != 0 ||
		h.logged("configuration reloaded") != 0 {
		t.Errorf("log: %q", h.lines)
	}
	h.reread("greet_delay 5s\nmax_sessions 7\n")
	if h.door.Policy.MaxSessions != 7 || h.logged("configuration reloaded") != 1 {
		t.Errorf("max_sessions is %d; log: %q", h.door.Policy.MaxSessions, h.lines)
	}
}

// At start there is no previous configuration: wrong lines are skipped, and the log says so.
func TestFirstConfigMistakes(t *testing.T) {
	h := build(t, "greet_delay 5\nmax_sessions 7\n")
	if h.door.Policy.MaxSessions != 7 || h.logged("greet_delay", "(skipped)") != 1 {
		t.Errorf("max_sessions is %d; log: %q", h.door.Policy.MaxSessions, h.lines)
	}
}

// A SIGHUP while the room reads makes it read again, for changes since it began.
func TestReloadTwice(t *testing.T) {
	h := build(t, "max_sessions 1\n")
	h.configure("max_sessions 2\n")
	h.reload()
	for len(h.notices.posts) == 0 {
		time.Sleep(time.Millisecond)
	}
	h.configure("max_sessions 3\n") // the loop does not have it yet
	h.reload()
	h.configure("max_sessions 4\n")
	h.reload()
	h.until("it is read", func() bool { return !h.reading })
	if n := h.logged("configuration reloaded"); h.door.Policy.MaxSessions != 4 || n != 2 {
		t.Errorf("max_sessions is %d after it was read %d times; want 4, 2",
			h.door.Policy.MaxSessions, n)
	}
	h.round()
	if h.reading || h.readAgain != nil {
		t.Error("it is read for ever")
	}
}

// A room without a configuration looks for one again and again. It still answers SIGHUP meanwhile:
// a service manager waits for READY=1.
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
	h.manager = newServiceManager(false)
	defer unix.Close(h.manager.fd)

	h.unconfigured, h.nextSecond = errors.New("no configuration"), h.now
	h.lookForConfig() // notes the file
	h.everySecond()
	if !h.reading {
		t.Fatal("it does not try")
	}
	h.reload()
	h.until("it is read", func() bool { return !h.reading })
	var sent []string
	for !slices.Contains(sent, "READY=1") {
		_ = manager.SetReadDeadline(time.Now().Add(time.Minute))
		var text [256]byte
		n, err := manager.Read(text[:])
		if err != nil {
			t.Fatalf("the manager was sent %q, then %v; want READY=1", sent, err)
		}
		sent = append(sent, string(text[:n]))
	}
}

// Refusals name us as the current configuration says. The machine's own name is looked up when the
// configuration is read, and not for each refusal.
func TestReloadNames(t *testing.T) {
	const deny = "deny 127.8.0.0/24\n"
	h := build(t, deny)
	isOwn := func() {
		t.Helper()
		if name, own := h.door.Policy.Hostname, wrapper.MachineName(); name != own {
			t.Errorf("the name is %q; want %q", name, own)
		}
	}
	isOwn()
	h.reread(deny + "hostname a.example.org\n")
	c := h.guest("127.8.0.1")
	h.until("one is refused", func() bool { return h.refused == 1 })
	expect(t, c, "554 5.7.1 a.example.org [127.8.0.1] is refused here; ")
	h.reread(deny + "hostname b.example.org\ncontact +49 30 123456\n")
	c = h.guest("127.8.0.1")
	h.until("another is refused", func() bool { return h.refused == 2 })
	expect(t, c, "554 5.7.1 b.example.org [127.8.0.1] is refused here; "+
		"if that is wrong, tell the postmaster in another way; contact +49 30 123456\r\n")
	h.reread(deny)
	isOwn()
}

// A room without a configuration does not read a file that is still being written: half of it
// would hold until the next SIGHUP.
func TestConfigBeingWritten(t *testing.T) {
	h := build(t, slow)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(h.file("conf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second := func(reads bool, when string) {
		t.Helper()
		h.nextSecond = h.now
		if h.everySecond(); h.reading != reads {
			t.Errorf("%s: it reads: %v; want %v", when, h.reading, reads)
		}
		h.until("it has read", func() bool { return !h.reading })
	}
	if err := os.Remove(h.file("conf")); err != nil {
		t.Fatal(err)
	}
	h.unconfigured = errors.New("no configuration")
	second(false, "there is no file") // one that appears now may be half written
	write("")
	second(false, "an empty file has appeared")
	if err := os.Remove(h.file("conf")); err != nil {
		t.Fatal(err)
	}
	second(true, "it has gone again") // clients are refused for another reason now
	if !strings.Contains(h.unconfigured.Error(), "no such file; create it") {
		t.Errorf("clients are refused for %v", h.unconfigured)
	}
	write("")
	second(false, "another one has appeared")
	h.configure("max_sessions 7\n")
	second(false, "it has grown")
	if h.unconfigured == nil {
		t.Fatal("half a configuration is used")
	}
	text, err := os.ReadFile(h.file("conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.file("new"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	seen, err := os.Stat(h.file("conf"))
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.Chtimes(h.file("new"), seen.ModTime(), seen.ModTime()),
		os.Rename(h.file("new"), h.file("conf")))
	if err != nil {
		t.Fatal(err)
	}
	second(false, "another file of the same size and time has its name")
	second(true, "it has not changed for a second")
	if h.unconfigured != nil || h.door.Policy.MaxSessions != 7 {
		t.Errorf("%v; max_sessions is %d", h.unconfigured, h.door.Policy.MaxSessions)
	}
}
