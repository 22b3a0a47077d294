package packaging

import (
	"errors"
	"io"
	"net"
	osexec "os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	patience   = 5 * time.Second        // for what must come
	impatience = 400 * time.Millisecond // for what must not
	slack      = 3 * time.Second
)

// machine is a network namespace. A thread of ours is in it and does what is sent to it.
type machine struct {
	tid  int
	work chan func()
}

// newMachine makes a namespace that is gone at the end of the test.
func newMachine(t *testing.T) *machine {
	t.Helper()
	need(t, "nft")
	need(t, "ip")
	m := &machine{work: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		m.tid = unix.Gettid()
		made <- err
		for do := range m.work {
			do()
		}
	}()
	if err := <-made; err != nil {
		close(m.work)
		skip(t, "no network namespace (are you root?): "+err.Error())
	}
	t.Cleanup(func() { close(m.work) })
	m.must(t, "ip", "link", "set", "lo", "up")
	return m
}

// twoMachines are a server that echoes on port 25, behind our sets, and one that may be any client of 198.51.100.0/24, 203.0.113.0/24,
// 2001:db8:1::/48 and 2001:db8:2::/48.
func twoMachines(t *testing.T) (server, client *machine) {
	t.Helper()
	server, client = firewall(t), newMachine(t)
	server.must(t, "ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", strconv.Itoa(client.tid))
	for m, last := range map[*machine]string{server: "25", client: "1"} {
		m.must(t, "ip", "addr", "add", "192.0.2."+last+"/24", "dev", "wire")
		m.must(t, "ip", "addr", "add", "2001:db8:0:25::"+last+"/64", "dev", "wire", "nodad")
		m.must(t, "ip", "link", "set", "wire", "up")
	}
	server.must(t, "ip", "route", "add", "default", "via", "192.0.2.1")
	server.must(t, "ip", "-6", "route", "add", "default", "via", "2001:db8:0:25::1")
	for _, network := range []string{"198.51.100.0/24", "203.0.113.0/24", "2001:db8:1::/48", "2001:db8:2::/48"} {
		client.must(t, "ip", "route", "add", "local", network, "dev", "lo")
	}
	var l net.Listener
	var err error
	server.do(func() { l, err = net.Listen("tcp", ":25") })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return server, client
}

// do does it there.
func (m *machine) do(what func()) {
	done := make(chan bool)
	m.work <- func() {
		defer close(done)
		what()
	}
	<-done
}

// run runs a program there, with next to no environment, and returns what it said.
func (m *machine) run(argv ...string) (out string, err error) {
	m.do(func() {
		cmd := osexec.Command(argv[0], argv[1:]...)
		cmd.Env = []string{"SENDWRAP_REASON=x"}
		var said []byte
		said, err = cmd.CombinedOutput()
		out = string(said)
	})
	return out, err
}

func (m *machine) must(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := m.run(argv...)
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return out
}

// dial connects to the server as this client, which gets what it says back.
func (m *machine) dial(from string, patience time.Duration) (conn net.Conn, err error) {
	to := "192.0.2.25:25"
	if strings.Contains(from, ":") {
		to = "[2001:db8:0:25::25]:25"
	}
	m.do(func() {
		d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Control: anyAddress}
		conn, err = d.Dial("tcp", to)
	})
	if err != nil {
		return nil, err
	}
	if err := echo(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// reach says what keeps a client from connecting, if anything does.
func (m *machine) reach(client string) error {
	conn, err := m.dial(client, patience)
	if err == nil {
		conn.Close()
	}
	return err
}

// anyAddress lets a socket have an address that no interface has, but a route says to be ours.
func anyAddress(_, _ string, c syscall.RawConn) (err error) {
	failed := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1) })
	return errors.Join(failed, err)
}

// blocked says whether a client waits for an answer in vain: packets are dropped.
func (m *machine) blocked(t *testing.T, client string) bool {
	t.Helper()
	conn, err := m.dial(client, impatience)
	if err == nil {
		conn.Close()
		return false
	}
	if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
		t.Errorf("%s: %v; want a timeout, since packets are dropped", client, err)
	}
	return true
}

// echo says something and waits for it to come back.
func echo(conn net.Conn) error {
	buf := []byte("421 4.7.0\r\n")
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write(buf); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, buf)
	return err
}

// freeAgain waits until a client can connect, and returns when that was.
func (m *machine) freeAgain(t *testing.T, client string) time.Time {
	t.Helper()
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); {
		conn, err := m.dial(client, impatience/4)
		if err == nil {
			conn.Close()
			return time.Now()
		}
	}
	t.Errorf("%s is still blocked", client)
	return time.Now()
}
