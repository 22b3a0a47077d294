package wrapper

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestInspect(t *testing.T) {
	_, fd := pair(t)
	c, err := Inspect(fd)
	if err != nil || !c.Client.Addr().IsLoopback() || c.Client == c.Server {
		t.Errorf("a client: %+v, %v", c, err)
	}
	r, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	unixes, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udpFile, err := udp.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listenFile, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	client, gone := pair(t)
	reset(t, client)
	arrived(t, gone)
	for _, tt := range []struct {
		name string
		fd   int
		want error
	}{
		{"pipe", int(r.Fd()), ErrNoSocket}, {"unix socket", unixes[0], ErrNoSocket},
		{"udp", int(udpFile.Fd()), ErrNoSocket},
		{"listening", int(listenFile.Fd()), ErrListening}, {"closed", 9999, ErrNoSocket},
		{"client that left", gone, ErrGone},
	} {
		if _, err := Inspect(tt.fd); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// The kernel still knows a client that has left: a probe that resets the connection at once is
// logged.
func TestInspectGone(t *testing.T) {
	for _, tt := range []struct{ listen, dial string }{
		{"127.0.0.1:0", "127.0.0.1"}, {"[::1]:0", "::1"}, {"[::]:0", "127.0.0.1"},
	} {
		client, fd := pairOn(t, tt.listen, tt.dial, tt.dial)
		from := client.LocalAddr().(*net.TCPAddr).AddrPort()
		reset(t, client)
		arrived(t, fd)
		c, err := Inspect(fd)
		if err != ErrGone || c.Client != from {
			t.Errorf("at %s: %v, %v; want %v, %v", tt.listen, c.Client, err, from, ErrGone)
		}
	}
}

// Addresses of other kinds are no client's, and IPv6 addresses have no zone.
func TestAddrPort(t *testing.T) {
	for _, sa := range []syscall.Sockaddr{
		nil, &syscall.SockaddrUnix{Name: "/x"}, &syscall.SockaddrNetlink{},
	} {
		if got := AddrPort(sa); got.IsValid() {
			t.Errorf("%T: %v", sa, got)
		}
	}
	linkLocal := netip.MustParseAddrPort("[fe80::1]:25")
	sa := syscall.SockaddrInet6{Addr: linkLocal.Addr().As16(), Port: 25, ZoneId: 3}
	if got := AddrPort(&sa); got != linkLocal {
		t.Errorf("%v", got)
	}
	if got := LocalAddr(-1); got.IsValid() {
		t.Errorf("no socket has %v", got)
	}
}
