package milter

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// MaxPacket bounds a packet that is read. The longest that the guard asks for is the macros of
	// a recipient: an MTA takes lines of 2 kB.
	MaxPacket = 16 << 10

	// usualPacket is what most packets have room in, together with what comes with them: to read is
	// most of what a packet costs. It is all that an idle connection keeps.
	usualPacket = 256
)

// ErrProtocol is the error of a peer that does not speak the milter protocol.
var ErrProtocol = errors.New("is not the milter protocol")

// Conn is a connection with the other end of a session.
type Conn struct {
	net.Conn
	in   *bufio.Reader
	most time.Duration // for a packet
}

// NewConn returns a connection on which a packet that has begun may take that long, either way.
func NewConn(c net.Conn, most time.Duration) *Conn {
	return &Conn{Conn: c, in: bufio.NewReaderSize(c, usualPacket), most: most}
}

// Await waits until something has come. io.EOF is the end of the session, from whichever end.
func (c *Conn) Await(most time.Duration) error {
	_ = c.SetReadDeadline(time.Now().Add(most))
	_, err := c.in.Peek(1)
	return ended(err)
}

// Buffered is how much has come that Next has not returned.
func (c *Conn) Buffered() int { return c.in.Buffered() }

// Next returns the next packet, which has begun: what it is, and its data, which hold until Next is
// called again.
func (c *Conn) Next() (command byte, data []byte, err error) {
	_ = c.SetReadDeadline(time.Now().Add(c.most))
	packet, err := c.packet()
	switch {
	case err == io.EOF:
		return 0, nil, io.ErrUnexpectedEOF
	case err != nil:
		return 0, nil, ended(err)
	}
	return packet[0], packet[1:], nil
}

// packet reads one without its length.
func (c *Conn) packet() ([]byte, error) {
	length, err := c.in.Peek(4)
	if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(length)
	if size == 0 || size > MaxPacket {
		return nil, fmt.Errorf("%w: packet of %d bytes; want 1 to %d", ErrProtocol, size, MaxPacket)
	}
	_, _ = c.in.Discard(4)
	if size <= usualPacket {
		packet, err := c.in.Peek(int(size))
		_, _ = c.in.Discard(len(packet))
		return packet, err
	}
	packet := make([]byte, size)
	_, err = io.ReadFull(c.in, packet)
	return packet, err
}

// Send sends a packet, to a peer that reads it in time. That the peer has gone is no error: Next
// says so.
func (c *Conn) Send(packet string) error {
	_ = c.SetWriteDeadline(time.Now().Add(c.most))
	framed := make([]byte, 4, 4+len(packet))
	binary.BigEndian.PutUint32(framed, uint32(len(packet)))
	if _, err := c.Write(append(framed, packet...)); ended(err) != io.EOF {
		return err
	}
	return nil
}

// ended is io.EOF for an error that only says that one of the two has closed the connection: an MTA
// whose client is gone does not wait for an answer.
func ended(err error) error {
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		return io.EOF
	}
	return err
}
