package lab

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Client is one connection with a mail server.
type Client struct {
	net.Conn // TLS once that has begun
	In       *bufio.Reader
	Addr     netip.AddrPort // the client's own
}

// Dial connects from an address, which may be local by route only, in the network of the calling
// thread.
func Dial(from netip.Addr, to netip.AddrPort) (*Client, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: Patience,
		Control: anyAddress}
	conn, err := d.Dial("tcp", to.String())
	if err != nil {
		return nil, err
	}
	addr := conn.LocalAddr().(*net.TCPAddr).AddrPort()
	return &Client{Conn: conn, In: bufio.NewReader(conn), Addr: addr}, nil
}

// anyAddress lets a socket have an address that is local by route only; IPv6 needs more options
// than IPv4.
func anyAddress(network, _ string, c syscall.RawConn) (err error) {
	if network != "tcp6" {
		return nil
	}
	failed := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_FREEBIND, 1)
	})
	return errors.Join(failed, err)
}

// Line returns the next line without its CRLF. Ended tells the end of the connection from other
// errors; the line is then what came before the end.
func (c *Client) Line() (string, error) {
	_ = c.SetReadDeadline(time.Now().Add(Patience))
	line, err := c.In.ReadString('\n')
	if err != nil {
		return line, err
	}
	text, crlf := strings.CutSuffix(line, "\r\n")
	if !crlf {
		return "", fmt.Errorf("%q does not end in CRLF", line)
	}
	return text, nil
}

// Reply returns the next reply, its lines joined by \n; "" if the server has ended the connection
// between two replies.
func (c *Client) Reply() (string, error) {
	var lines []string
	for {
		line, err := c.Line()
		if err != nil && Ended(err) && line == "" && len(lines) == 0 {
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("after %q: %w", append(lines, line), err)
		}
		lines = append(lines, line)
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(lines, "\n"), nil
		}
	}
}

// Send writes lines at once. It is no error if the server has ended the connection: its last
// replies can still be read.
func (c *Client) Send(lines ...string) error {
	_ = c.SetWriteDeadline(time.Now().Add(Patience))
	_, err := c.Write([]byte(strings.Join(lines, "\r\n") + "\r\n"))
	if Ended(err) {
		return nil
	}
	return err
}

// Say sends a line and returns the reply.
func (c *Client) Say(line string) (string, error) {
	if err := c.Send(line); err != nil {
		return "", err
	}
	return c.Reply()
}

// StartTLS makes the connection a TLS one; the server has replied to STARTTLS already.
func (c *Client) StartTLS(cfg *tls.Config) error {
	secure := tls.Client(c.Conn, cfg)
	_ = secure.SetDeadline(time.Now().Add(Patience))
	if err := secure.Handshake(); err != nil {
		return err
	}
	c.Conn, c.In = secure, bufio.NewReader(secure)
	return nil
}

// Ended reports whether an error means that the other side has ended the connection, in TLS also by
// an alert.
func Ended(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return true
	}
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// Abort closes the connection with RST. That also leaves no port in TIME_WAIT.
func (c *Client) Abort() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	return c.Close()
}
