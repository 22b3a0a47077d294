package wrapper

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// mtaVar makes this test program the MTA of a session. It greets its client and then waits in the
// way that the variable names.
const mtaVar = "SENDWRAP_TEST_MTA"

// beMTA does not return.
func beMTA(waits string) {
	_, _ = unix.Write(0, []byte("220 ready\r\n"))
	both := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}, {Fd: 3, Events: unix.POLLIN}}
	b := make([]byte, 100)
	switch waits {
	case "read":
		_, _ = unix.Read(0, b)
	case "recv":
		_, _, _ = unix.Recvfrom(0, b, 0)
	case "poll":
		_, _ = unix.Poll(both[:1], -1)
	case "select":
		var set unix.FdSet
		set.Set(0)
		_, _ = unix.Select(1, &set, nil, nil, nil)
	case "filter": // on fd 3, which is a pipe
		_, _ = unix.Read(3, b)
	case "poll filter":
		_, _ = unix.Poll(both[1:], -1)
	case "select filter":
		var set unix.FdSet
		set.Set(3)
		_, _ = unix.Select(4, &set, nil, nil, nil)
	case "both":
		_, _ = unix.Poll(both, -1)
	case "write": // to a client that does not read
		for {
			if _, err := unix.Write(0, b); err != nil {
				break
			}
		}
	}
	unix.Exit(0)
}

// guest is a client in session, with an MTA in a process of its own.
type guest struct {
	*net.TCPConn
	cmd  *exec.Cmd
	live ledger.LiveSession // as the ledger has it
}

// serve gives a client an MTA that waits in this way.
func (d *doorway) serve(t *testing.T, from, waits string) *guest {
	t.Helper()
	client, fd := pairFrom(t, from)
	filter, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { filter.Close(); other.Close() })
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), mtaVar+"="+waits)
	server, err := unix.Dup(fd) // fd is the pair's to close
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(server), "client")
	cmd.Stdin, cmd.ExtraFiles = file, []*os.File{filter}
	err = cmd.Start()
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	wait := func() { once.Do(func() { _ = cmd.Wait() }) }
	go wait() // or its zombie would stay
	t.Cleanup(func() { _ = cmd.Process.Kill(); wait() })
	g := &guest{TCPConn: client, cmd: cmd}
	at := client.LocalAddr().(*net.TCPAddr).AddrPort()
	process, err := ledger.Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	g.live = ledger.LiveSession{Client: at, Process: process, Serving: true}
	_ = d.Ledger.Run(func(tx *ledger.Tx) {
		var f decide.Facts
		d.facts(&f, at.Addr(), d.room)
		s, _ := tx.Enter(d.arrival(at, &f.Limits), process)
		tx.Serve(s)
	})
	g.hears(t, "220 ready\r\n")
	return g
}

// hears wants the client to read this next.
func (g *guest) hears(t *testing.T, want string) {
	t.Helper()
	_ = g.SetReadDeadline(time.Now().Add(lab.Patience))
	b := make([]byte, len(want))
	if n, err := io.ReadFull(g, b); err != nil || string(b) != want {
		t.Fatalf("the client hears %q, %v; want %q", b[:n], err, want)
	}
}

// idleFor waits until neither side has sent anything for this long.
func (g *guest) idleFor(t *testing.T, d time.Duration) {
	t.Helper()
	lab.Eventually(t, "the session is idle", func() bool {
		m, err := openMTA(g.live)
		if err != nil {
			t.Fatal(err)
		}
		defer m.close()
		info, err := unix.GetsockoptTCPInfo(m.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return false
		}
		return time.Duration(min(info.Last_data_sent, info.Last_data_recv))*time.Millisecond >= d
	})
}

// awaitMTA waits until the MTA waits for its client.
func (g *guest) awaitMTA(t *testing.T) {
	t.Helper()
	pid := g.cmd.Process.Pid
	lab.Eventually(t, "the MTA waits for its client", func() bool { return waitsForClient(pid) })
}

// search ends this many idle sessions.
func (d *doorway) search(places int) []Ended { return d.newSearch(places).Run() }

// An MTA that waits for its client differs from one that waits for anything else, in whatever
// system call it waits.
func TestWaitsForClient(t *testing.T) {
	for waits, want := range map[string]bool{
		"read": true, "recv": true, "poll": true, "select": true,
		"filter": false, "poll filter": false, "select filter": false, "both": false,
		"write": false,
	} {
		t.Run(waits, func(t *testing.T) {
			t.Parallel()
			d := open(t, "", "max_idle 1s\nmax_sessions 1")
			g := d.serve(t, "127.0.0.1", waits)
			if waits == "write" {
				lab.Eventually(t, "the MTA cannot write",
					func() bool { return lab.State(g.cmd.Process.Pid) == "S" })
			}
			g.idleFor(t, time.Second)
			if want { // it may not have come to that yet
				g.awaitMTA(t)
			}
			if got := d.search(1); (len(got) == 1) != want {
				t.Errorf("%d ended; want it to: %v", len(got), want)
			}
			if !want && !lab.Running(g.cmd.Process.Pid) {
				t.Error("the MTA has ended")
			}
		})
	}
}

// Only as many sessions end as are wanted, first those that have been idle for longest.
func TestOrderOfIdle(t *testing.T) {
	d := open(t, "", "max_idle 1s\nallow 127.0.0.77")
	var all []*guest
	for i, waits := range []string{"read", "filter", "select", "poll", "recv"} {
		all = append(all, d.serve(t, fmt.Sprintf("127.0.0.%d", 10+i), waits))
		all[i].idleFor(t, 50*time.Millisecond) // the next is younger than this one
	}
	allowed := d.serve(t, "127.0.0.77", "read")
	for _, g := range append(all, allowed) {
		g.idleFor(t, time.Second)
	}
	for _, g := range []*guest{all[0], all[2], all[3], all[4], allowed} {
		g.awaitMTA(t)
	}
	for _, want := range [][]int{{0}, {2, 3}, {4}, {}} {
		ended := d.search(max(1, len(want)))
		d.LogIdle(ended)
		if len(ended) != len(want) {
			t.Fatalf("%d ended; want %v", len(ended), want)
		}
		for i, n := range want {
			if ended[i].client != all[n].live.Client || !ended[i].exited {
				t.Errorf("%v ended, %v; want %v", ended[i].client, ended[i].exited,
					all[n].live.Client)
			}
			all[n].hears(t, "421 4.4.2 mx.example ["+ended[i].client.Addr().String()+"] said "+
				"nothing for a while")
			line := d.line(t)
			begin := maillog.NewLine("IDLE").Addr("client", ended[i].client).String()
			if !strings.HasPrefix(line, begin+" server=[127.0.0.1]:") ||
				!strings.HasSuffix(line, "s/1s bytes=0 reply=421") {
				t.Errorf("log: %s; want %s", line, begin)
			}
		}
	}
	if n := d.totals(t).Idle; n != 4 {
		t.Errorf("%d are counted; want 4", n)
	}
	for _, g := range []*guest{all[1], allowed} {
		if !lab.Running(g.cmd.Process.Pid) {
			t.Errorf("the MTA of %v has ended", g.live.Client)
		}
	}
}

// No signal goes to a process that has taken the pid since, or that has another client. Nor to a
// room, nor to a process in which the client waits, nor to a session that is younger.
func TestNotThisSession(t *testing.T) {
	for name, spoil := range map[string]func(*ledger.LiveSession){
		"none":          func(*ledger.LiveSession) {},
		"another start": func(s *ledger.LiveSession) { s.Process.Start++ },
		"no start":      func(s *ledger.LiveSession) { s.Process.Start = 0 },
		"another " +
			"port": func(s *ledger.LiveSession) {
			s.Client = netip.AddrPortFrom(s.Client.Addr(),
				s.Client.Port()^1)
		},
		"another client": func(s *ledger.LiveSession) {
			s.Client = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), s.Client.Port())
		},
		"room":      func(s *ledger.LiveSession) { s.Process.Shared = true },
		"waiting":   func(s *ledger.LiveSession) { s.Serving = false },
		"ourselves": func(s *ledger.LiveSession) { s.Process = ledger.Self() },
		"nobody":    func(s *ledger.LiveSession) { s.Process.PID = 1 << 22 },
	} {
		d := open(t, "", "max_idle 1s")
		g := d.serve(t, "127.0.0.1", "read")
		g.idleFor(t, time.Second)
		g.awaitMTA(t)
		spoil(&g.live)
		s := d.newSearch(1)
		found := s.idle([]ledger.LiveSession{g.live})
		_, ended := s.end(g.live)
		shared := name == "room" || name == "waiting" // which idle alone looks at
		if want := name == "none"; (len(found) == 1) != want || ended != want && !shared {
			t.Errorf("%s: %d found, ended %v", name, len(found), ended)
		}
	}
	d := open(t, "", "max_idle 1h")
	g := d.serve(t, "127.0.0.1", "read")
	if ended := d.search(1); len(ended) != 0 || !lab.Running(g.cmd.Process.Pid) {
		t.Errorf("%d ended that are younger than an hour", len(ended))
	}
}

// A client that comes while all places are taken gets the place of an idle session, in the same
// step; the one that was refused is not counted twice.
func TestPlaceOfAnother(t *testing.T) {
	d := open(t, "", "greet_delay 0s\nremember 0\nmax_idle 1s\nmax_sessions 1")
	g := d.serve(t, "127.0.0.2", "read")
	g.idleFor(t, time.Second)
	g.awaitMTA(t)
	s, _, served := d.meet(t, nil)
	if s.Verdict != decide.Pass || !served {
		t.Errorf("%v", s.Verdict)
	}
	g.hears(t, "421 4.4.2 ")
	if n := d.totals(t); n.Verdicts[decide.Pass] != 1 || n.Verdicts[decide.Busy] != 0 ||
		n.Serving != 1 {
		t.Errorf("%v, %d served", n.Verdicts, n.Serving)
	}
	// The next is refused: ours is no session to be ended, and it would be too early to look.
	if s, _, served := d.meet(t, nil); s.Verdict != decide.Busy || served {
		t.Errorf("%v", s.Verdict)
	}
}
