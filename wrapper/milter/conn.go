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
	// MaxPacket bounds a packet that is read. The longest that the guard asks for are the macros
	// of a recipient: MTAs accept lines of 2 kB.
	MaxPacket = 16 << 10

	// usualPacket holds most packets together with their macros, so that one read(2) serves for
	// both: it is most of what a packet costs. It is all that an idle connection keeps.
	usualPacket = 256
)

// ErrProtocol is the error of a peer that does not speak the milter protocol.
var ErrProtocol = errors.New("is not the milter protocol")

// Conn is one side of a session.
type Conn struct {
	net.Conn
	in         *bufio.Reader
	packetTime time.Duration
}

// NewConn returns a connection on which a packet may take packetTime once it has begun, in either
// direction.
func NewConn(c net.Conn, packetTime time.Duration) *Conn {
	return &Conn{c, bufio.NewReaderSize(c, usualPacket), packetTime}
}

// Await waits until data has come. io.EOF is the end of the session, from either side.
func (c *Conn) Await(atMost time.Duration) error {
	_ = c.SetReadDeadline(time.Now().Add(atMost))
	_, err := c.in.Peek(1)
	return ended(err)
}

// Buffered is how many bytes have come that Next has not returned.
func (c *Conn) Buffered() int { return c.in.Buffered() }

// Next returns the next packet, of which Await has seen the beginning. The data are valid until the
// next call of Next.
func (c *Conn) Next() (command byte, data []byte, err error) {
	_ = c.SetReadDeadline(time.Now().Add(c.packetTime))
	packet, err := c.packet()
	switch {
	case err == io.EOF:
		return 0, nil, io.ErrUnexpectedEOF
	case err != nil:
		return 0, nil, ended(err)
	}
	return packet[0], packet[1:], nil
}

// packet reads a packet, and returns it without its length.
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

// Send sends a packet. A peer that has closed the connection is no error: Next reports it.
func (c *Conn) Send(packet string) error {
	_ = c.SetWriteDeadline(time.Now().Add(c.packetTime))
	framed := make([]byte, 4, 4+len(packet))
	binary.BigEndian.PutUint32(framed, uint32(len(packet)))
	if _, err := c.Write(append(framed, packet...)); ended(err) != io.EOF {
		return err
	}
	return nil
}

// ended returns io.EOF for an error that only says that one side has closed the connection: an MTA
// whose client has left does not wait for an answer.
func ended(err error) error {
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) ||
		errors.Is(err, net.ErrClosed) {
		return io.EOF
	}
	return err
}
