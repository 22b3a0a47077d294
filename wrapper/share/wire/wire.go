// Package wire is what member and courier say to each other, over a pair of sockets that keep
// packets apart. A packet is a verb and lines of text.
package wire

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/config"
)

// What the member says.
const (
	Setup = "setup" // the first packet: a [Settings]
	Send  = "send"  // NUMBER, then lines "KEY TTL EVENT": KEY is "-" for none, TTL in ms
	All   = "all"   // read the whole state
	Read  = "read"  // begin to read the stream after POSITION
)

// What the courier says.
const (
	Up       = "up"       // the engine answers: its VERSION, its TIME in ms
	Down     = "down"     // it does not: REASON
	Time     = "time"     // its TIME in ms, from time to time
	Sent     = "sent"     // the engine has what was sent up to NUMBER
	Events   = "events"   // POSITION, LAG in ms, then events of the stream
	State    = "state"    // events of the state
	Complete = "complete" // the whole state was said
	Gap      = "gap"      // a part of the stream is gone
	Empty    = "empty"    // the engine may have lost what this machine has said
	Double   = "double"   // another machine has the same name
	Report   = "report"   // with Check: lines for people, the first "ok" or "bad"
)

// MaxPacket is the largest packet, in bytes.
const MaxPacket = 64 << 10

// Settings are what the courier has to know.
type Settings struct {
	Engines  []config.Engine
	User     string
	Password string
	CA       []byte // PEM; nil = those of the system
	Master   string
	Prefix   string
	Name     string
	Instance string
	Version  string
	CountBy  string
	Check    bool // report, and end
}

// Conn is one end of the pair. Send may be called by several goroutines.
type Conn struct {
	*net.UnixConn
	buffer []byte
}

// Pair makes both ends.
func Pair() (own *Conn, others *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	others = os.NewFile(uintptr(fds[1]), "courier")
	own, err = Take(os.NewFile(uintptr(fds[0]), "member"))
	if err != nil {
		_ = others.Close()
	}
	return own, others, err
}

// Take is the end that the file is. It closes the file.
func Take(f *os.File) (*Conn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.New("no pair of sockets")
	}
	return &Conn{UnixConn: u, buffer: make([]byte, MaxPacket)}, nil
}

// Send sends a packet. A courier that does not read for a minute is lost.
func (c *Conn) Send(verb string, lines ...string) error {
	_ = c.SetWriteDeadline(time.Now().Add(time.Minute))
	_, err := c.Write([]byte(verb + "\n" + strings.Join(lines, "\n")))
	return err
}

// Receive waits for the next packet.
func (c *Conn) Receive() (verb string, lines []string, err error) {
	n, err := c.Read(c.buffer)
	if err != nil {
		return "", nil, err
	}
	verb, rest, _ := strings.Cut(string(c.buffer[:n]), "\n")
	if rest != "" {
		lines = strings.Split(rest, "\n")
	}
	return verb, lines, nil
}

// SendSettings sends the first packet, ReceiveSettings waits for it.
func (c *Conn) SendSettings(s Settings) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if len(Setup+"\n")+len(text) > MaxPacket {
		return errors.New("the files of ca= and password= are too large; name smaller ones")
	}
	return c.Send(Setup, string(text))
}

func (c *Conn) ReceiveSettings() (s Settings, err error) {
	verb, lines, err := c.Receive()
	if err != nil {
		return s, err
	}
	if verb != Setup || len(lines) != 1 {
		return s, errors.New("no settings")
	}
	return s, json.Unmarshal([]byte(lines[0]), &s)
}
