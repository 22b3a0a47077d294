package exec

import (
	"fmt"
	"net"
	osexec "os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// socketOption is an option of the client's connection.
type socketOption struct {
	name              string
	level, id, wanted int
	short             int // a value for tests that cannot wait for minutes; 0 = unchanged
}

var socketOptions = []socketOption{
	{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1, 0},
	{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1, 0},
	{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 120, 1},
	{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 30, 1},
	{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 6, 2},
	{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 300_000, 2000},
}

// bothWays runs a test with an MTA of Replace and one of Spawn.
func bothWays(t *testing.T, test func(*testing.T, starter)) {
	t.Helper()
	t.Run("replace", func(t *testing.T) {
		test(t, func(client net.Conn, server int) *session {
			return startOn(t, setup{}, fds{}, client, server)
		})
	})
	t.Run("spawn", func(t *testing.T) {
		test(t, func(client net.Conn, server int) *session {
			return spawnFor(t, new(Stdio), client, server)
		})
	})
}

// starter starts an MTA for a client.
type starter func(client net.Conn, server int) *session

func TestSocketOptions(t *testing.T) {
	bothWays(t, func(t *testing.T, mta starter) {
		client, server := connect(t)
		for _, o := range socketOptions {
			got, err := unix.GetsockoptInt(server, o.level, o.id)
			if got == o.wanted || err != nil {
				t.Fatalf("%s is %d already, %v: the test proves nothing", o.name, got, err)
			}
		}
		mta(client, server).becomeMTA()
		for _, o := range socketOptions {
			got, err := unix.GetsockoptInt(server, o.level, o.id)
			if got != o.wanted || err != nil {
				t.Errorf("%s is %d, %v; want %d", o.name, got, err, o.wanted)
			}
		}
	})
}

// The MTA of an unreachable client ends, whether or not data of the MTA is unacknowledged. The test
// shortens the times of the socket options and changes nothing else.
func TestUnreachableClient(t *testing.T) {
	bothWays(t, func(t *testing.T, mta starter) {
		for _, unacknowledged := range []bool{false, true} {
			t.Run(fmt.Sprint("unacknowledged ", unacknowledged), func(t *testing.T) {
				client, server, cut := connectByWire(t)
				s := mta(client, server)
				s.becomeMTA()
				lab.Eventually(t, "the client has all that was said", func() bool {
					left, err := unix.IoctlGetInt(server, unix.TIOCOUTQ)
					return left == 0 && err == nil
				})
				cut()
				shorten(t, server)
				if unacknowledged {
					if _, err := unix.Write(server, []byte("250 never to arrive\r\n")); err != nil {
						t.Fatal(err)
					}
				}
				lab.Eventually(t, "the MTA ends", func() bool { return !lab.Running(s.pid) })
			})
		}
	})
}

// shorten shortens the times that have their proper value.
func shorten(t *testing.T, fd int) {
	t.Helper()
	for _, o := range socketOptions {
		if value, err := unix.GetsockoptInt(fd, o.level, o.id); o.short == 0 || value != o.wanted ||
			err != nil {
			continue
		}
		if err := unix.SetsockoptInt(fd, o.level, o.id, o.short); err != nil {
			t.Fatal(err)
		}
	}
}

// connectByWire is connect between two networks. cut cuts the wire between them.
func connectByWire(t *testing.T) (client net.Conn, server int, cut func()) {
	t.Helper()
	ours, theirs := newNetwork(t), newNetwork(t)
	ours.ip(t, "link add wire type veth peer name wire netns "+strconv.Itoa(theirs.ID))
	for i, n := range []*testNetwork{ours, theirs} {
		n.ip(t, fmt.Sprintf("address add 192.0.2.%d/24 dev wire", i+1))
		n.ip(t, "link set wire up")
	}
	at := unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}, Port: 25}
	var listener int
	var err error
	ours.Do(func() {
		if listener,
			err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
			if err = unix.Bind(listener, &at); err == nil {
				err = unix.Listen(listener, 1)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(listener)
	theirs.Do(func() {
		client, err = (&net.Dialer{Timeout: lab.Patience}).Dial("tcp4", "192.0.2.1:25")
	})
	if err != nil {
		t.Fatal(err)
	}
	if server, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); unix.Close(server) })
	return client, server, func() { theirs.ip(t, "link set wire down") }
}

// testNetwork is a network namespace.
type testNetwork struct{ *lab.Thread }

func newNetwork(t *testing.T) *testNetwork {
	t.Helper()
	lab.NeedRoot(t)
	thread, err := lab.NewThread(unix.CLONE_NEWNET)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(thread.Close)
	return &testNetwork{thread}
}

func (n *testNetwork) ip(t *testing.T, args string) {
	t.Helper()
	program := lab.NeedProgram(t, "ip")
	var out []byte
	var err error
	n.Do(func() { out, err = osexec.Command(program, strings.Fields(args)...).CombinedOutput() })
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
}
