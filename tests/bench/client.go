package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// await waits until ok holds, and reports what did not happen if it does not.
func await(what string, ok func() (bool, error)) (err error) {
	var done bool
	if !lab.Await(func() bool { done, err = ok(); return done || err != nil }) {
		return fmt.Errorf("not within %v: %s", lab.Patience, what)
	}
	return err
}

// bound limits each read or accept on a socket to lab.Patience.
func bound(fd int) error { return boundBy(fd, lab.Patience) }

func boundBy(fd int, most time.Duration) error {
	timeout := unix.NsecToTimeval(int64(most))
	err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout)
	return os.NewSyscallError("setsockopt", err)
}

// client is one connection to the super-server. It is no lab.Client: that one uses Go's poller and
// sets a deadline for each line, and this cost would be on the same machine as the program that is
// measured.
type client struct {
	fd  int
	buf []byte // received, not yet returned
}

// dial connects from an address to the super-server. The kernel completes the handshake; accept may
// come later.
func dial(from netip.Addr, to netip.AddrPort) (*client, error) {
	family := unix.AF_INET
	if from.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	c := &client{fd: fd}
	err = bound(fd)
	if err == nil {
		err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(from, 0)))
	}
	if err == nil {
		err = unix.Connect(fd, sockaddr(to))
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("client %v: %w", from, err)
	}
	return c, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
}

func (c *client) close() { unix.Close(c.fd) }

// abort closes the connection with RST: the rest of the server's bytes does not matter.
func (c *client) abort() {
	_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	c.close()
}

func (c *client) write(s string) error {
	_, err := unix.Write(c.fd, []byte(s))
	return os.NewSyscallError("write", err)
}

// errNoAnswer says that nothing has come within the time set by bound or boundBy.
var errNoAnswer = errors.New("no answer in time")

// receive waits for bytes or for the end of the connection, which a reset is too.
func (c *client) receive() (ended bool, err error) {
	var b [4096]byte
	for {
		n, err := unix.Read(c.fd, b[:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECONNRESET):
			return true, nil
		case errors.Is(err, unix.EAGAIN):
			return false, errNoAnswer
		case err != nil:
			return false, os.NewSyscallError("read", err)
		}
		c.buf = append(c.buf, b[:n]...)
		return n == 0, nil
	}
}

// rest returns all that the server says until it closes.
func (c *client) rest() (string, error) {
	for {
		ended, err := c.receive()
		if ended || err != nil {
			return string(c.buf), err
		}
	}
}

// reply returns the next SMTP reply (RFC 5321 §4.2), all its lines without the last CRLF.
func (c *client) reply() (string, error) {
	for {
		if n := replyEnd(c.buf); n > 0 {
			s := string(c.buf[:n])
			c.buf = c.buf[n:]
			return strings.TrimSuffix(s, "\r\n"), nil
		}
		ended, err := c.receive()
		if err != nil {
			return "", err
		}
		if ended {
			return "", fmt.Errorf("closed after %q, want a reply", c.buf)
		}
	}
}

// turn is what a client says, "" for nothing, and how the reply must begin.
type turn struct{ say, hear string }

// converse takes these turns with the server.
func (c *client) converse(turns ...turn) error {
	for _, t := range turns {
		if t.say != "" {
			if err := c.write(t.say + "\r\n"); err != nil {
				return err
			}
		}
		reply, err := c.reply()
		if err == nil && !strings.HasPrefix(reply, t.hear) {
			err = fmt.Errorf("reply %q, want %q", reply, t.hear)
		}
		if err != nil {
			return fmt.Errorf("after %q: %w", t.say, err)
		}
	}
	return nil
}

// replyEnd returns the length of the whole reply that b begins with, 0 if it is not whole yet. Its
// last line has no "-" after the code.
func replyEnd(b []byte) int {
	for at := 0; ; {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return 0
		}
		line := b[at : at+n]
		at += n + 1
		if len(line) < 4 || line[3] != '-' {
			return at
		}
	}
}
