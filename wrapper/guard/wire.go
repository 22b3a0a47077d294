package guard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/emersion/go-milter"
	"golang.org/x/sys/unix"
)

const (
	// maxPacket bounds a packet. The longest that we ask for is the macros of a recipient: an MTA takes lines of 2 kB.
	maxPacket = 16 << 10

	// packetTime bounds the time that a packet takes, once it has begun, either way.
	packetTime = 10 * time.Second

	// idleTime bounds the time between two packets: sendmail waits an hour for a command (Timeout.command), no MTA longer.
	idleTime = 2 * time.Hour
)

// wanted is what we ask of an MTA: neither headers nor body, an answer only where we have one, and to be told of recipients
// that it has rejected.
const wanted = milter.OptNoBody | milter.OptNoHeaders | milter.OptNoEOH | milter.OptNoUnknown | milter.OptNoData |
	milter.OptRcptRej | milter.OptNoHeloReply

// needed is the part without which the guard sees no guess.
const needed = milter.OptRcptRej

// macros are asked for by name, so that no MTA has to be configured for us.
func macros() map[milter.Stage][]string {
	return map[milter.Stage][]string{
		milter.StageConnect:  {macroRelay, macroAddress, macroPort},
		milter.StageMailFrom: {macroQueue, macroAuth},
		milter.StageRcptTo:   {macroQueue, macroMailer, macroStatus, macroReason},
	}
}

// wire is the connection with one MTA process, for one of its clients. It lets nothing through to go-milter that is longer
// than a packet may be, or does not end in time.
type wire struct {
	net.Conn
	packetTime, idleTime time.Duration

	ahead  []byte // read already
	length [4]byte
	have   int // bytes of length
	left   int // bytes of the packet
	closed func()
}

var errNoMilter = errors.New("is not the milter protocol")

// offer reads the packet with which an MTA begins, and what it offers. The packet will be read once more.
func (w *wire) offer() (milter.OptAction, milter.OptProtocol, error) {
	var packet [64]byte
	_ = w.Conn.SetReadDeadline(time.Now().Add(w.packetTime))
	n, err := io.ReadAtLeast(w.Conn, packet[:], 4)
	if err != nil {
		return 0, 0, err
	}
	length := int(binary.BigEndian.Uint32(packet[:]))
	const least = 1 + 3*4
	if length < least || 4+length > len(packet) {
		return 0, 0, errNoMilter
	}
	if n < 4+length {
		m, err := io.ReadFull(w.Conn, packet[n:4+length])
		if err != nil {
			return 0, 0, err
		}
		n += m
	}
	if packet[4] != byte(milter.CodeOptNeg) {
		return 0, 0, errNoMilter
	}
	w.ahead = bytes.Clone(packet[:n])
	return milter.OptAction(binary.BigEndian.Uint32(packet[9:])), milter.OptProtocol(binary.BigEndian.Uint32(packet[13:])), nil
}

// Read gives go-milter what has come, never beyond the end of a packet's length or of the packet.
func (w *wire) Read(b []byte) (int, error) {
	most := w.left
	if w.left == 0 {
		most = len(w.length) - w.have
	}
	if err := w.wait(); err != nil {
		return 0, err
	}
	n, err := w.read(b[:min(len(b), most)])
	if w.left > 0 {
		w.left -= n
		return n, err
	}
	copy(w.length[w.have:], b[:n])
	if w.have += n; w.have == len(w.length) {
		w.have, w.left = 0, int(binary.BigEndian.Uint32(w.length[:]))
		if w.left == 0 || w.left > maxPacket {
			return 0, fmt.Errorf("packet of %d bytes; want 1 to %d", w.left, maxPacket)
		}
	}
	return n, err
}

// wait sets how long the next read may take. The time of a packet begins with its first byte.
func (w *wire) wait() error {
	switch {
	case len(w.ahead) > 0:
		return nil
	case w.left == 0 && w.have == 0:
		return w.SetReadDeadline(time.Now().Add(w.idleTime))
	}
	return nil
}

func (w *wire) read(b []byte) (n int, err error) {
	if len(w.ahead) > 0 {
		n = copy(b, w.ahead)
		w.ahead = w.ahead[n:]
		return n, nil
	}
	begins := w.left == 0 && w.have == 0
	n, err = w.Conn.Read(b)
	if parted(err) {
		return n, io.EOF
	}
	if begins && n > 0 {
		if err := w.SetReadDeadline(time.Now().Add(w.packetTime)); err != nil {
			return n, err
		}
	}
	return n, err
}

// Write sends an answer, to an MTA that reads it in time.
func (w *wire) Write(b []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(w.packetTime)); err != nil {
		return 0, err
	}
	n, err := w.Conn.Write(b)
	if parted(err) {
		return len(b), nil // the next Read says so
	}
	return n, err
}

// parted says whether an error only tells that the MTA, or we, have closed the connection: an MTA whose client is gone does not
// wait for our answer.
func parted(err error) bool {
	return errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, net.ErrClosed)
}

// Close ends the session; go-milter calls it once.
func (w *wire) Close() error {
	err := w.Conn.Close()
	w.closed()
	return err
}

// once is the listener of a go-milter server that has one session. Each session has a server of its own, since that is
// where go-milter keeps what is asked of the MTA.
type once struct{ wire *wire }

func (o *once) Accept() (net.Conn, error) {
	if o.wire == nil {
		return nil, io.EOF
	}
	w := o.wire
	o.wire = nil
	return w, nil
}

func (o *once) Close() error { return nil }

func (o *once) Addr() net.Addr { return nil }
