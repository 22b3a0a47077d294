package share

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// A machine has a network of its own: a wire to the engine, and clients from all of 198.18/15.
type machine struct {
	t       testing.TB
	name    string
	dir     string
	network *lab.Thread
	addr    netip.AddrPort // of its room
	here    string         // the engine's address, as the machine reaches it
	engine  string         // its share_engine
	share   *lab.Daemon
}

// wires are the machines so far. Each has a network of four addresses on its wire.
var wires atomic.Uint32

// newMachine makes a machine that does nothing yet. The directives are besides those that it needs.
func newMachine(t testing.TB, e *engine, name, conf string) *machine {
	t.Helper()
	m := &machine{t: t, name: name, dir: t.TempDir(),
		addr: netip.MustParseAddrPort("127.0.0.1:2525")}
	network, err := lab.NewThread(unix.CLONE_NEWNET)
	if err != nil {
		t.Fatal(err)
	}
	m.network = network
	t.Cleanup(network.Close)
	n := wires.Add(1)
	m.here = fmt.Sprintf("10.%d.%d.1", n>>8, n&255)
	m.engine = fmt.Sprintf("valkey://%s:%d", m.here, e.port)
	err = lab.IP(fmt.Sprintf("link add w%d type veth peer name wire netns %d", n, network.ID),
		fmt.Sprintf("addr add %s/30 dev w%d", m.here, n), fmt.Sprintf("link set w%d up", n))
	m.do(func() {
		if err == nil {
			err = lab.IP("link set lo up", fmt.Sprintf("addr add 10.%d.%d.2/30 dev wire", n>>8,
				n&255), "link set wire up", "route add local 198.18.0.0/15 dev lo")
		}
	})
	program, pathErr := os.Executable()
	for _, failed := range []error{err, pathErr, os.Symlink(program, m.file("mta")),
		os.Mkdir(m.file("state"), 0o700)} {
		if failed != nil {
			t.Fatal(failed)
		}
	}
	m.configure(m.engine, conf)
	return m
}

// configure writes the configuration, with that share_engine.
func (m *machine) configure(engine, conf string) {
	m.t.Helper()
	conf += fmt.Sprintf("mta %s\nledger %s clients=1024\nlog stderr\nguard_listen unix:%s\n"+
		"share_engine %s\nshare_name %s\n", m.file("mta"), m.file("state/ledger"),
		m.file("guard.socket"), engine, m.name)
	if err := os.WriteFile(m.file("conf"), []byte(conf), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) file(name string) string { return filepath.Join(m.dir, name) }
func (m *machine) do(job func())           { m.network.Do(job) }

// start starts a part of sendwrap, with its log in the file of that name.
func (m *machine) start(command string, args ...string) (d *lab.Daemon) {
	m.t.Helper()
	var err error
	m.do(func() {
		d, err = lab.Start(exec.Command(lab.Full(lab.Dir()), append([]string{command, "-f",
			m.file("conf")}, args...)...), m.file(command))
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(d.KillAll)
	return d
}

// startRoom starts the room, startShare the share process.
func (m *machine) startRoom() {
	m.t.Helper()
	m.start("listen", m.addr.String())
	lab.Eventually(m.t, "the room listens", func() (ok bool) {
		m.do(func() { ok = lab.Listening(m.addr) })
		return ok
	})
}

func (m *machine) startShare() {
	m.t.Helper()
	m.share = m.start("share")
}

// logged counts how often the text is in the log of a part.
func (m *machine) logged(part, text string) int {
	log, err := os.ReadFile(m.file(part))
	if err != nil {
		m.t.Fatal(err)
	}
	return bytes.Count(log, []byte(text))
}

// waitLogged waits until the log of the share process has the text n times.
func (m *machine) waitLogged(text string, n int) {
	m.t.Helper()
	if !lab.Await(func() bool { return m.logged("share", text) >= n }) {
		log, _ := os.ReadFile(m.file("share"))
		m.t.Fatalf("%s: the log has not %q %d times:\n%.4000s", m.name, text, n, log)
	}
}

// command runs an administrator's command, which must work.
func (m *machine) command(name string, args ...string) string {
	m.t.Helper()
	out, err := m.try(name, args...)
	if err != nil {
		m.t.Fatalf("%s: sendwrap %s %q: %v: %s", m.name, name, args, err, out)
	}
	return out
}

func (m *machine) try(name string, args ...string) (out string, err error) {
	m.do(func() {
		var text []byte
		text, err = exec.Command(lab.Full(lab.Dir()), append([]string{name, "-f", m.file("conf")},
			args...)...).CombinedOutput()
		out = string(text)
	})
	return out, err
}

// sharing is what `status -json` says of that.
type sharing struct {
	Connected bool
	Waiting   int
	Refused   int
	Machines  []struct {
		Name             string
		Applied, Refused int
	}
}

func (m *machine) sharing() (s sharing) {
	m.t.Helper()
	var status struct{ Sharing sharing }
	text := m.command("status", "-json")
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		m.t.Fatalf("%v: %s", err, text)
	}
	return status.Sharing
}

// blocked reports whether a real client of that address reads 421 at once.
func (m *machine) blocked(client string) bool {
	m.t.Helper()
	c := m.dial(client)
	defer c.Abort()
	got, err := c.Reply()
	if err != nil {
		m.t.Fatal(err)
	}
	return strings.HasPrefix(got, "421 4.7.1 ")
}

func (m *machine) dial(client string) (c *lab.Client) {
	m.t.Helper()
	var err error
	m.do(func() { c, err = lab.Dial(netip.MustParseAddr(client), m.addr) })
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// waitBlocked waits until the machine has blocked the client, or blocks it no more.
func (m *machine) waitBlocked(client string, want bool) {
	m.t.Helper()
	if !lab.Await(func() bool { return m.blocked(client) == want }) {
		m.t.Fatalf("%s: blocked is %v for %s; want %v; blocks:\n%s", m.name, !want, client, want,
			m.command("blocks"))
	}
}
