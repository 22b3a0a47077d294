package wrapper

import (
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// pair is a TCP connection over loopback: the client's end for the test, and the descriptor of
// ours, in blocking mode as a super-server leaves it.
func pair(t *testing.T) (client *net.TCPConn, fd int) { return pairFrom(t, "127.0.0.1") }

// pairFrom is a pair whose client has that address.
func pairFrom(t *testing.T, from string) (client *net.TCPConn, fd int) {
	t.Helper()
	return pairOn(t, "127.0.0.1:0", "127.0.0.1", from)
}

// pairOn is pair with a server that listens there, and a client that connects to this address from
// that one.
func pairOn(t *testing.T, listen, to, from string) (client *net.TCPConn, fd int) {
	t.Helper()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	dialed, err := dialer.Dial("tcp", net.JoinHostPort(to, port))
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close() })
	return dialed.(*net.TCPConn), ownDescriptor(t, accepted.(*net.TCPConn))
}

// ownDescriptor closes c, and returns another descriptor of its connection. A session may close
// that; what has the number then, in a test beside this one, stays open.
func ownDescriptor(t *testing.T, c *net.TCPConn) (fd int) {
	t.Helper()
	f, err := c.File()
	c.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err = unix.Dup(int(f.Fd())) // which is blocking from here on
	if err != nil {
		t.Fatal(err)
	}
	var it unix.Stat_t
	if err := unix.Fstat(fd, &it); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err == nil && st.Dev == it.Dev && st.Ino == it.Ino {
			unix.Close(fd)
		}
	})
	return fd
}

// reset closes the client's end with RST.
func reset(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if err := c.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// readAll is all that the client gets until our end is closed.
func readAll(t *testing.T, c *net.TCPConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(lab.Patience)); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("client read %q, then: %v", b, err)
	}
	return string(b)
}

// arrived waits until bytes of the client, or its end, have come.
func arrived(t *testing.T, fd int) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP}}
	for deadline := time.Now().Add(lab.Patience); ; {
		n, err := unix.Poll(fds, 1000)
		if n > 0 {
			return
		}
		if err != nil && err != unix.EINTR || time.Now().After(deadline) {
			t.Fatalf("nothing comes from the client: %v", err)
		}
	}
}
