package milter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// Commands of an MTA.
const (
	Negotiate    = 'O' // SMFIC_OPTNEG
	MacrosFor    = 'D' // SMFIC_MACRO; the next letter is the command that they are for
	Connect      = 'C' // SMFIC_CONNECT
	Helo         = 'H' // SMFIC_HELO
	Mail         = 'M' // SMFIC_MAIL
	Rcpt         = 'R' // SMFIC_RCPT
	Data         = 'T' // SMFIC_DATA
	Header       = 'L' // SMFIC_HEADER
	EndOfHeaders = 'N' // SMFIC_EOH
	Body         = 'B' // SMFIC_BODY
	EndOfMessage = 'E' // SMFIC_BODYEOB
	Abort        = 'A' // SMFIC_ABORT
	Quit         = 'Q' // SMFIC_QUIT
	Unknown      = 'U' // SMFIC_UNKNOWN: a command that the MTA does not know
)

// An Answer is a packet that answers a command.
type Answer string

const (
	None     Answer = ""  // none is sent
	Continue Answer = "c" // SMFIR_CONTINUE
	Accept   Answer = "a" // SMFIR_ACCEPT: ask no more about this client, or message
	Discard  Answer = "d" // SMFIR_DISCARD
	Reject   Answer = "r" // SMFIR_REJECT
	TempFail Answer = "t" // SMFIR_TEMPFAIL
	Progress Answer = "p" // SMFIR_PROGRESS: the answer comes later
)

// replyCode is the letter of an answer with a reply for the client: SMFIR_REPLYCODE.
const replyCode = "y"

// Reply is the answer that gives the client a reply of one line. A % is doubled: MTAs format the
// text.
func Reply(line string) Answer {
	return Answer(replyCode + strings.ReplaceAll(line, "%", "%%") + "\x00")
}

// Reply returns the reply that the answer gives the client; false if it gives none.
func (a Answer) Reply() (line string, ok bool) {
	line, ok = strings.CutPrefix(string(a), replyCode)
	return strings.ReplaceAll(strings.TrimSuffix(line, "\x00"), "%%", "%"), ok
}

// Version is the version of the protocol: sendmail 8.14 and Postfix 2.6 speak it.
const Version = 6

// What a milter may ask for.
const (
	SetMacros = 1 << 8 // SMFIF_SETSYMLIST, an action: to name the macros that it wants

	NoBody      = 1 << 4  // SMFIP_NOBODY
	NoHeaders   = 1 << 5  // SMFIP_NOHDRS
	NoEOH       = 1 << 6  // SMFIP_NOEOH
	NoUnknown   = 1 << 8  // SMFIP_NOUNKNOWN
	NoData      = 1 << 9  // SMFIP_NODATA
	RcptRej     = 1 << 11 // SMFIP_RCPT_REJ: recipients that the MTA has rejected, too
	NoHeloReply = 1 << 13 // SMFIP_NR_HELO
)

// An Offer is what an MTA offers, or what a milter asks for of it.
type Offer struct{ Version, Actions, Protocol uint32 }

// ReadOffer parses the data of a negotiation. It ignores what a later version may append.
func ReadOffer(data []byte) (o Offer, err error) {
	if len(data) < 12 {
		return o, fmt.Errorf("%w: an offer of %d bytes", ErrProtocol, len(data))
	}
	return Offer{
		binary.BigEndian.Uint32(data),
		binary.BigEndian.Uint32(data[4:]),
		binary.BigEndian.Uint32(data[8:]),
	}, nil
}

// Packet is the packet that carries the offer.
func (o Offer) Packet() string {
	packet := []byte{Negotiate}
	for _, part := range []uint32{o.Version, o.Actions, o.Protocol} {
		packet = binary.BigEndian.AppendUint32(packet, part)
	}
	return string(packet)
}

// Stages at which a milter may ask for macros.
const (
	StageConnect = 0 // SMFIM_CONNECT
	StageMail    = 2 // SMFIM_ENVFROM
	StageRcpt    = 3 // SMFIM_ENVRCPT
)

// WantMacros is appended to a milter's offer for each stage at which it wants macros.
func WantMacros(stage uint32, names ...string) string {
	return string(binary.BigEndian.AppendUint32(nil, stage)) + strings.Join(names, " ") + "\x00"
}

// Macros are the data of a macro packet: the letter of its command, then names and values.
type Macros string

// Packet is the macro packet for a command; pairs are names and values.
func Packet(command byte, pairs ...string) string {
	return string([]byte{MacrosFor, command}) + strings.Join(pairs, "\x00") + "\x00"
}

// For returns the macros if they are for that command, otherwise none.
func (m Macros) For(command byte) Macros {
	if m == "" || m[0] != command {
		return ""
	}
	return m
}

// Get returns the value of a macro; "" if it is not among them.
func (m Macros) Get(name string) string {
	for rest := m[min(1, len(m)):]; rest != ""; {
		var key, value string
		key, rest = cutText(rest)
		value, rest = cutText(rest)
		if key == name {
			return value
		}
	}
	return ""
}

func cutText(m Macros) (string, Macros) {
	text, rest, _ := strings.Cut(string(m), "\x00")
	return text, Macros(rest)
}

// Text is the first string in a command's data.
func Text(data []byte) string {
	text, _, _ := bytes.Cut(data, []byte{0})
	return string(text)
}

// Families of a client's address.
const (
	IPv4 = '4' // SMFIA_INET
	IPv6 = '6' // SMFIA_INET6
)

// A Client is what an MTA says about a client that has connected. Only an internet family has a
// port and an address; MTAs write addresses in different ways.
type Client struct {
	Family  byte
	Port    uint16
	Address string
}

// ReadClient parses the data of a Connect.
func ReadClient(data []byte) (c Client, err error) {
	_, rest, whole := bytes.Cut(data, []byte{0}) // the client's name
	if !whole || len(rest) == 0 {
		return c, fmt.Errorf("%w: a client without a family", ErrProtocol)
	}
	c.Family, rest = rest[0], rest[1:]
	if c.Family != IPv4 && c.Family != IPv6 {
		return c, nil
	}
	if len(rest) < 2 {
		return c, fmt.Errorf("%w: a client without a port", ErrProtocol)
	}
	c.Port, c.Address = binary.BigEndian.Uint16(rest), Text(rest[2:])
	return c, nil
}

// Packet is the Connect packet of the client; name is its host name.
func (c Client) Packet(name string) string {
	family := string([]byte{c.Family, byte(c.Port >> 8), byte(c.Port)})
	return "C" + name + "\x00" + family + c.Address + "\x00"
}
