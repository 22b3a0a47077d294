package guard

import (
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
		milter.StageConnect:  {macroRelay, macroAddress},
		milter.StageMailFrom: {macroQueue, macroAuth},
		milter.StageRcptTo:   {macroQueue, macroMailer, macroStatus, macroReason},
	}
}

// wire is the connection with one MTA process, for one of its clients. It lets nothing through to go-milter that is longer
// than a packet may be, or does not end in time.
type wire struct {
	net.Conn
	packetTime, idleTime time.Duration

	buffer [256]byte // most packets whole, and what comes with them: to read is most of what a packet costs
	ahead  []byte    // of the buffer, what go-milter has not had yet
	length [4]byte
	have   int  // bytes of length
	left   int  // bytes of the packet
	timed  bool // the packet has to end in time
	closed func()
}

var errNoMilter = errors.New("is not the milter protocol")

// offer reads the packet with which an MTA begins, and what it offers. go-milter will read the packet once more.
func (w *wire) offer() (milter.OptAction, milter.OptProtocol, error) {
	const least, most = 4 + 1 + 3*4, 64
	_ = w.Conn.SetReadDeadline(time.Now().Add(w.packetTime))
	n, err := io.ReadAtLeast(w.Conn, w.buffer[:most], 4)
	if err != nil {
		return 0, 0, err
	}
	size := 4 + int(binary.BigEndian.Uint32(w.buffer[:]))
	if size < least || size > most {
		return 0, 0, errNoMilter
	}
	if n < size {
		m, err := io.ReadFull(w.Conn, w.buffer[n:size])
		if err != nil {
			return 0, 0, err
		}
		n += m
	}
	if w.buffer[4] != byte(milter.CodeOptNeg) {
		return 0, 0, errNoMilter
	}
	w.ahead = w.buffer[:n]
	return milter.OptAction(binary.BigEndian.Uint32(w.buffer[9:])), milter.OptProtocol(binary.BigEndian.Uint32(w.buffer[13:])), nil
}

// Read gives go-milter what has come, never beyond the end of a packet's length or of the packet.
func (w *wire) Read(b []byte) (int, error) {
	if len(w.ahead) == 0 {
		if err := w.fill(); err != nil {
			return 0, err
		}
	}
	if w.left > 0 {
		n := copy(b[:min(len(b), w.left)], w.ahead)
		w.ahead = w.ahead[n:]
		if w.left -= n; w.left == 0 {
			w.timed = false
		}
		return n, nil
	}
	n := copy(b[:min(len(b), len(w.length)-w.have)], w.ahead)
	copy(w.length[w.have:], w.ahead[:n])
	w.ahead = w.ahead[n:]
	if w.have += n; w.have == len(w.length) {
		w.have, w.left = 0, int(binary.BigEndian.Uint32(w.length[:]))
		if w.left == 0 || w.left > maxPacket {
			return 0, fmt.Errorf("packet of %d bytes; want 1 to %d", w.left, maxPacket)
		}
	}
	return n, nil
}

// fill waits for more to come: in the midst of a packet until its time is over, which began with its first byte, as far as we
// have seen.
func (w *wire) fill() error {
	var err error
	switch within := w.left > 0 || w.have > 0; {
	case !within:
		err = w.SetReadDeadline(time.Now().Add(w.idleTime))
	case !w.timed:
		w.timed = true
		err = w.SetReadDeadline(time.Now().Add(w.packetTime))
	}
	if err != nil {
		return err
	}
	n, err := w.Conn.Read(w.buffer[:])
	w.ahead = w.buffer[:n]
	if n > 0 {
		return nil
	}
	if parted(err) {
		return io.EOF
	}
	return err
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
