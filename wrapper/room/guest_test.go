package room

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper"
	"sendwrap/wrapper/ledger"
)

// slow is a greet delay that does not end within a test, even on a slow machine.
const (
	slow      = "greet_delay 290s stress=290s\n"
	longDelay = 290 * time.Second
)

// guest connects a client from an address.
func (h *house) guest(from string) *net.TCPConn {
	h.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: lab.Patience}
	c, err := d.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// guests connects n clients, each from an address of its own.
func (h *house) guests(n int) (all []*net.TCPConn) {
	h.t.Helper()
	for i := range n {
		all = append(all, h.guest(address(i)))
	}
	return all
}

func address(i int) string { return fmt.Sprintf("127.9.%d.%d", i/250, 1+i%250) }

// appear lets clients arrive on local sockets, which are made faster than TCP connections. It
// returns their ends.
func (h *house) appear(n int) (ends []int) {
	h.t.Helper()
	for i := range n {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { unix.Close(pair[1]) })
		ends = append(ends, pair[1])
		h.arrive(wrapper.Connection{FD: pair[0],
			Client: netip.AddrPortFrom(netip.MustParseAddr(address(i)), 1025)})
		h.decideArrivals()
	}
	return ends
}

// hears returns what a client has received so far.
func hears(fd int) string {
	var b [512]byte
	n, _, _ := unix.Recvfrom(fd, b[:], unix.MSG_DONTWAIT)
	return string(b[:max(0, n)])
}

// expect fails unless this is what a client receives next.
func expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	var b [512]byte
	_ = c.SetReadDeadline(time.Now().Add(lab.Patience))
	if n, err := c.Read(b[:]); !strings.HasPrefix(string(b[:n]), want) || n == 0 {
		t.Errorf("the client hears %q, %v; want %q", b[:n], err, want)
	}
}

// sessions returns those that the ledger counts.
func (h *house) sessions() (all []ledger.LiveSession) {
	h.t.Helper()
	if err := h.door.Ledger.Do(ledger.Now(),
		func(t *ledger.Tx) { all = t.Sessions() }); err != nil {
		h.t.Fatal(err)
	}
	return all
}

// child starts a child process, as an MTA is. It prints nothing, and runs until it is killed or
// exits at once.
func child(t *testing.T, lives bool) (pid int) {
	t.Helper()
	argv := []string{"/bin/sleep", "0"}
	if lives {
		argv[1] = "600"
	}
	p, err := os.StartProcess(argv[0], argv, new(os.ProcAttr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait() // unless the room has seen its end
	})
	return p.Pid
}

// ended waits until a child has exited, and does not reap it.
func ended(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
}
