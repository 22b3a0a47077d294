package guard

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// abroad is the network in which clients live. A network namespace belongs to a thread: this one makes the sockets of all clients.
var abroad = sync.OnceValues(func() (chan<- func(), error) {
	if missing := os.Getenv(missingVar); missing != "" {
		return nil, errors.New(missing)
	}
	jobs, moved, laid, ready := make(chan func()), make(chan error), make(chan error), make(chan error)
	tid := 0
	go func() {
		runtime.LockOSThread() // and never unlocks: the thread must not serve other goroutines
		err := unix.Unshare(unix.CLONE_NEWNET)
		tid = unix.Gettid()
		moved <- err
		if <-laid == nil {
			ready <- theirEnd()
		}
		for job := range jobs {
			job()
		}
	}()
	err := <-moved
	if err == nil {
		err = ourEnd(tid)
	}
	laid <- err
	if err == nil {
		err = <-ready
	}
	return jobs, err
})

// ourEnd lays a wire to the clients' thread, and says what is to be had over it.
func ourEnd(tid int) error {
	return ip(
		fmt.Sprintf("link add ours type veth peer name theirs netns %d", tid),
		"link set ours up",
		fmt.Sprintf("addr add %v/24 dev ours", server4),
		fmt.Sprintf("addr add %v/64 dev ours nodad", server6),
		fmt.Sprintf("route add %v via %v", clients4, gateway4),
		fmt.Sprintf("-6 route add %v via %v", clients6, gateway6),
	)
}

// theirEnd makes every address a client's that is not ours.
func theirEnd() error {
	return ip(
		"link set lo up",
		"link set theirs up",
		fmt.Sprintf("addr add %v/24 dev theirs", gateway4),
		fmt.Sprintf("addr add %v/64 dev theirs nodad", gateway6),
		fmt.Sprintf("route add local %v dev lo", clients4),
		fmt.Sprintf("-6 route add local %v dev lo", clients6),
	)
}

// Where clients come from.
var (
	clients4 = netip.MustParsePrefix("198.18.0.0/15")
	clients6 = netip.MustParsePrefix("2001:db8:c000::/36")

	strangers atomic.Uint32 // addresses that no client had before
)

// stranger is a client that nobody has seen before, in a network (/32, /64) in which nobody else is.
func (w way) stranger() netip.Addr {
	n := strangers.Add(1)
	if !w.v6 {
		return netip.AddrFrom4([4]byte{198, 18 + byte(n>>16), byte(n >> 8), byte(n)})
	}
	a := clients6.Addr().As16()
	a[6], a[7], a[15] = byte(n>>8), byte(n), 9
	return netip.AddrFrom16(a)
}

// networkOf is what a client is counted under.
func networkOf(client netip.Addr) netip.Prefix {
	bits := 32
	if client.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(client, bits).Masked()
}

// dialTime bounds the wait for a connection.
const dialTime = 10 * time.Second

// connect connects from an address of a client's, or from one of ours.
func connect(from netip.Addr, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: dialTime, Control: anyAddress}
	if from.IsLoopback() || from == server4 || from == server6 {
		return d.Dial("tcp", to.String())
	}
	jobs, err := abroad()
	if err != nil {
		return nil, err
	}
	var c net.Conn
	done := make(chan struct{})
	jobs <- func() {
		defer close(done)
		c, err = d.Dial("tcp", to.String())
	}
	<-done
	return c, err
}

// anyAddress lets a socket have an address that is local by route only, for which IPv6 asks more than IPv4.
func anyAddress(network, _ string, c syscall.RawConn) (err error) {
	if network != "tcp6" {
		return nil
	}
	if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_FREEBIND, 1) }); e != nil {
		return e
	}
	return err
}
