package lab

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// A Milter is the MTA's end of a session with a milter. On the wire a packet is a letter that says
// what it is (libmilter's mfdef.h), and data.
type Milter struct {
	net.Conn

	// What the milter has agreed to.
	Protocol uint32
	Asked    map[byte][]string // macros, by command; without an agreement all are sent
}

// MilterOffer is the packet with which sendmail 8.17 begins: version 6, all actions, all of the
// protocol.
const MilterOffer = "O\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff"

const milterNoHeloReply = 0x2000 // SMFIP_NR_HELO

// milterStages are the commands whose macros a milter may ask for, by the number that the protocol
// has for them.
var milterStages = map[uint32]byte{0: 'C', 1: 'H', 2: 'M', 3: 'R', 5: 'E'}

// DialMilter connects to a milter and says nothing.
func DialMilter(network, address string) (*Milter, error) {
	c, err := net.Dial(network, address)
	return &Milter{Conn: c}, err
}

// Frame is a packet as it goes over the wire: its length goes before it.
func Frame(packet string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(packet))), packet...)
}

// Write writes bytes to a milter that reads within Patience.
func (m *Milter) Write(b []byte) (int, error) {
	_ = m.SetWriteDeadline(time.Now().Add(Patience))
	return m.Conn.Write(b)
}

// Packet returns the milter's next packet. Ended tells the end of the session from other errors.
func (m *Milter) Packet() (string, error) {
	_ = m.SetReadDeadline(time.Now().Add(Patience))
	var length [4]byte
	if _, err := io.ReadFull(m, length[:]); err != nil {
		return "", err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > 1<<16 {
		return "", fmt.Errorf("a packet of %d bytes", n)
	}
	packet := make([]byte, n)
	_, err := io.ReadFull(m, packet)
	return string(packet), err
}

// Negotiate offers what sendmail does, and notes what the milter asks for.
func (m *Milter) Negotiate() error {
	if _, err := m.Write(Frame(MilterOffer)); err != nil {
		return err
	}
	packet, err := m.Packet()
	if err != nil {
		return err
	}
	const least = 1 + 3*4
	if len(packet) < least || packet[0] != 'O' {
		return fmt.Errorf("an offer is answered with %q", packet)
	}
	m.Protocol, m.Asked = binary.BigEndian.Uint32([]byte(packet[9:])), map[byte][]string{}
	for list := packet[least:]; list != ""; {
		if len(list) < 4 {
			return fmt.Errorf("macros end with %q", list)
		}
		stage := milterStages[binary.BigEndian.Uint32([]byte(list))]
		names, rest, whole := strings.Cut(list[4:], "\x00")
		if stage == 0 || !whole {
			return fmt.Errorf("macros of a stage are %q", list)
		}
		m.Asked[stage] = strings.FieldsFunc(names,
			func(r rune) bool { return r == ' ' || r == ',' })
		list = rest
	}
	return nil
}

// MilterMacros is the packet that goes before a command; pairs are names and values.
func MilterMacros(command byte, pairs ...string) string {
	return string([]byte{'D', command}) + strings.Join(pairs, "\x00") + "\x00"
}

// Say sends a command, and before it in the same write, as sendmail does, the macros that the
// milter has asked for. It returns the answer without the NUL at its end; "" to HELO if the milter
// gives none.
func (m *Milter) Say(command string, macros ...string) (string, error) {
	var pairs []string
	for pair := range slices.Chunk(macros, 2) {
		if m.Asked == nil || slices.Contains(m.Asked[command[0]], pair[0]) {
			pairs = append(pairs, pair...)
		}
	}
	packets := Frame(command)
	if len(pairs) > 0 {
		packets = append(Frame(MilterMacros(command[0], pairs...)), packets...)
	}
	// The bytes that the milter sent before it ended the session can still be read.
	if _, err := m.Write(packets); err != nil && !Ended(err) {
		return "", err
	}
	if command[0] == 'H' && m.Protocol&milterNoHeloReply != 0 {
		return "", nil
	}
	return m.Answer()
}

// Answer is Packet without the NUL at its end.
func (m *Milter) Answer() (string, error) {
	packet, err := m.Packet()
	return strings.TrimSuffix(packet, "\x00"), err
}

// Connect sends the client's address as sendmail does.
func (m *Milter) Connect(addr string, port uint16) (string, error) {
	return m.Say(MilterConnect(addr, port), "_", "client.example ["+addr+"]",
		"{client_addr}", addr, "{client_port}", fmt.Sprint(port))
}

// MilterConnect is the packet of that.
func MilterConnect(addr string, port uint16) string {
	family := byte('4')
	if strings.Contains(addr, ":") {
		family = '6'
	}
	return "Cclient.example\x00" + string([]byte{family, byte(port >> 8), byte(port)}) + addr +
		"\x00"
}

// Helo is the client's EHLO.
func (m *Milter) Helo(name string) (string, error) { return m.Say("H" + name + "\x00") }

// Mail begins a transaction; the macros are besides the name of the message.
func (m *Milter) Mail(from string, macros ...string) (string, error) {
	return m.Say("M<"+from+">\x00", append([]string{"i", "QUEUE1"}, macros...)...)
}

// Rcpt names a recipient. If the MTA accepts it, mailer is local, for example; if the MTA rejects
// it, mailer is error, host a status (RFC 3463), and text the reply.
func (m *Milter) Rcpt(name, mailer, host, text string) (string, error) {
	return m.Say("R<"+name+">\x00", "{rcpt_mailer}", mailer, "{rcpt_host}", host, "{rcpt_addr}",
		text)
}

// End is the end of a message.
func (m *Milter) End() (string, error) { return m.Say("E") }
