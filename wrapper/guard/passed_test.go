package guard

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// guardProcess starts a guard with p's configuration and log in a process of its own, with these
// sockets as a service manager passes them, and with this limit of descriptors; 0 keeps ours.
func (p *post) guardProcess(descriptors string, sockets ...*os.File) *exec.Cmd {
	p.t.Helper()
	cmd := ourselves("guard", p.file("conf"), p.book.path)
	if descriptors != "" {
		cmd = exec.Command("sh", append([]string{"-c", `ulimit -n "$0" && exec "$@"`, descriptors},
			cmd.Args...)...)
	}
	if cmd.ExtraFiles = sockets; len(sockets) > 0 {
		cmd.Env = append(os.Environ(), "LISTEN_FDS="+string(rune('0'+len(sockets))))
	}
	return child(p.t, cmd)
}

// speaks reports whether a guard answers there.
func speaks(network, address string) bool {
	c, err := net.Dial(network, address)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(lab.Patience))
	if _, err := c.Write(frame(offered)); err != nil {
		return false
	}
	n, _ := c.Read(make([]byte, 100))
	return n > 0
}

// Passed sockets are served instead of the configured one, of each kind, and stay when the guard
// ends.
func TestPassed(t *testing.T) {
	p := build(t, rules)
	path := shortDir(t) + "/passed.sock"
	local, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	mustDo(t, err)
	local.SetUnlinkOnClose(false)
	remote, err := net.Listen("tcp", "127.0.0.1:0")
	mustDo(t, err)
	defer remote.Close()
	files := make([]*os.File, 2)
	files[0], err = local.File()
	mustDo(t, err, local.Close())
	files[1], err = remote.(*net.TCPListener).File()
	mustDo(t, err)

	g := p.guardProcess("", files...)
	for _, a := range []net.Addr{local.Addr(), remote.Addr()} {
		lab.Eventually(t, "the guard answers at "+a.String(),
			func() bool { return speaks(a.Network(), a.String()) })
		m := dial(t, a.Network(), a.String()).negotiate()
		m.connect("192.0.2."+map[string]string{"unix": "1", "tcp": "2"}[a.Network()], 1)
		m.play("mail bad bad bad good", "c c c 421 421")
	}
	if _, err := os.Lstat(p.socket); err == nil {
		t.Error("guard_listen is served, too")
	}
	mustDo(t, g.Process.Signal(unix.SIGTERM), g.Wait())
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the service manager's socket: %v", err)
	}
	if lines := p.book.lines("mail.warning"); len(lines) > 0 {
		t.Errorf("%q", lines)
	}
}

// Passed descriptors to which MTAs cannot connect are logged, and guard_listen is served.
func TestPassedUnfit(t *testing.T) {
	p := build(t, rules)
	_, pair := socketPair(t)
	datagrams, err := net.ListenPacket("udp", "127.0.0.1:0")
	mustDo(t, err)
	defer datagrams.Close()
	udp, err := datagrams.(*net.UDPConn).File()
	mustDo(t, err)
	null, err := os.Open(os.DevNull)
	mustDo(t, err)
	p.guardProcess("", pair, udp, null)
	lab.Eventually(t, "the guard answers", func() bool { return speaks("unix", p.socket) })
	for _, want := range []string{
		"fd 3 of LISTEN_FDS: is a connection", "fd 4 of LISTEN_FDS: is not a stream socket",
		"fd 5 of LISTEN_FDS: is not a socket",
	} {
		p.book.await(t, want)
	}
}

// Sessions beyond the descriptors are ended at once, so that their MTAs go on without the guard;
// one line says so.
func TestSessionLimit(t *testing.T) {
	const places = 36 // of 100 descriptors, less the spare ones
	p := build(t, rules)
	p.guardProcess("100")
	lab.Eventually(t, "the guard answers", func() bool { return speaks("unix", p.socket) })
	var all []*mta
	lab.Eventually(t, "all places are free", func() bool {
		for _, m := range all {
			m.Close()
		}
		all = nil
		for range places {
			m := p.dial()
			m.send(offered)
			if all = append(all, m); m.answer() == "" {
				return false
			}
		}
		return true
	})
	for _, m := range all {
		m.want("c", m.connect("192.0.2.1", 1))
	}
	began := time.Now()
	for range 20 {
		m := p.dial()
		m.send(offered)
		m.gone()
	}
	all[0].play("mail bad bad bad good", "c c c 421 421") // with ledger, log and cutting off
	p.book.await(t, "reason=bad_rcpts")
	p.book.await(t, "more sessions than there are descriptors for")
	n, seconds := len(p.book.lines("mail.warning")), int(time.Since(began).Seconds())
	if n > 3+seconds {
		t.Errorf("%d lines in %d seconds: %q", n, seconds, p.book.lines("mail.warning"))
	}
	for _, m := range all {
		m.Close()
	}
	lab.Eventually(t, "the guard serves again", func() bool { return speaks("unix", p.socket) })
}

// With hardly any descriptors a guard serves the sessions that it can, and others when these have
// left; it does not spin, and does not end.
func TestNoDescriptors(t *testing.T) {
	p := build(t, rules)
	g := p.guardProcess("20")
	lab.Eventually(t, "the guard answers", func() bool { return speaks("unix", p.socket) })
	var all []*mta
	for range 30 {
		m := p.dial()
		m.send(offered)
		all = append(all, m)
	}
	// A guard that spins takes its share of a busy processor, too.
	lab.Eventually(t, "the guard rests", func() bool {
		before, began := cpu(t, g.Process.Pid), time.Now()
		time.Sleep(2 * time.Second)
		return cpu(t, g.Process.Pid)-before < time.Since(began)/50
	})
	for _, m := range all {
		m.Close()
	}
	p.book.await(t, "mail.warning", "too many open files") // now that there is one for the log
	lab.Eventually(t, "the guard serves again", func() bool { return speaks("unix", p.socket) })
	mustDo(t, g.Process.Signal(unix.SIGTERM), g.Wait())
}

// cpu is the processor time that a process has taken.
func cpu(t testing.TB, pid int) time.Duration {
	t.Helper()
	taken, err := lab.CPU(pid)
	mustDo(t, err)
	return taken
}

// A guard that cannot start says why, and changes nothing.
func TestCannotBegin(t *testing.T) {
	for _, c := range []struct{ name, conf, wrong string }{
		{"no configuration", "", "no such file"},
		{"another guard", "mode enforce\n", "another guard listens there"},
		{"no such user", "owner", "unknown user"},
	} {
		p := build(t, "mode enforce\n")
		switch c.name {
		case "no configuration":
			mustDo(t, os.Remove(p.file("conf")))
		case "another guard":
			go p.accept(p.listen())
		case "no such user":
			p.write("conf", "guard_listen unix:"+p.socket+" owner=no-such-user\n"+
				"ledger "+p.file("state/ledger")+" clients=1024\n")
		}
		cmd := ourselves("guard", p.file("conf"), p.book.path)
		out, err := cmd.CombinedOutput()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 1 || !strings.Contains(string(out), c.wrong) {
			t.Errorf("%s: %v, %s", c.name, err, out)
		}
	}
}
