package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// What the milter protocol calls things (libmilter's mfdef.h and mfapi.h). A packet is its length in 4 bytes, one of these
// letters, and data.
const (
	milterOptions  = 'O'
	milterMacros   = 'D'
	milterConnect  = 'C'
	milterHelo     = 'H'
	milterMail     = 'M'
	milterRcpt     = 'R'
	milterEnd      = 'E' // of a message
	milterContinue = 'c'

	milterVersion  = 6
	milterActions  = 0x1FF    // all that sendmail 8.17 offers
	milterProtocol = 0x1FFFFF // likewise

	noHeloReply = 0x2000 // SMFIP_NR_HELO, in what the milter takes of milterProtocol

	// onlyEnvelope is what spares a message's text the way to the milter: SMFIP_NOBODY, NOHDRS, NOEOH and NODATA.
	onlyEnvelope = 0x10 | 0x20 | 0x40 | 0x200
)

// milterStages are the commands whose macros a milter may ask for, by the number that the protocol has for them.
var milterStages = map[uint32]byte{0: milterConnect, 1: milterHelo, 2: milterMail, 3: milterRcpt, 5: milterEnd}

// milterClient is what an MTA has of a session with a milter.
type milterClient struct {
	conn     net.Conn
	protocol uint32
	asked    map[byte][]string // names of macros, by command
	values   map[string]string
}

// dialMilter connects to a milter as sendmail does for the client that it has, and agrees with it.
func dialMilter(socket string, from netip.AddrPort) (*milterClient, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	m := &milterClient{conn: conn, values: map[string]string{
		"_":             fmt.Sprintf("client.example [%v]", from.Addr()),
		"{client_addr}": from.Addr().String(),
		"{client_port}": fmt.Sprint(from.Port()),
		"i":             "5ALBHHZS000165",
		"{rcpt_mailer}": "local",
		"{rcpt_host}":   "",
		"{rcpt_addr}":   "root",
	}}
	if err := m.agree(); err != nil {
		conn.Close()
		return nil, err
	}
	return m, nil
}

// packet puts one together.
func packet(letter byte, data []byte) []byte {
	p := binary.BigEndian.AppendUint32(nil, uint32(1+len(data)))
	return append(append(p, letter), data...)
}

// words are strings as the protocol has them.
func words(text ...string) (b []byte) {
	for _, t := range text {
		b = append(append(b, t...), 0)
	}
	return b
}

// reply returns what the milter says next.
func (m *milterClient) reply() (letter byte, data []byte, err error) {
	if err := m.conn.SetReadDeadline(time.Now().Add(patience * time.Second)); err != nil {
		return 0, nil, err
	}
	var length [4]byte
	if _, err := io.ReadFull(m.conn, length[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > 1<<16 {
		return 0, nil, fmt.Errorf("a packet of %d bytes", n)
	}
	p := make([]byte, n)
	_, err = io.ReadFull(m.conn, p)
	return p[0], p[1:], err
}

// agree offers all that sendmail can do and takes what the milter wants of it.
func (m *milterClient) agree() error {
	var offer []byte
	for _, n := range []uint32{milterVersion, milterActions, milterProtocol} {
		offer = binary.BigEndian.AppendUint32(offer, n)
	}
	if _, err := m.conn.Write(packet(milterOptions, offer)); err != nil {
		return err
	}
	letter, data, err := m.reply()
	if err != nil {
		return err
	}
	if letter != milterOptions || len(data) < 12 {
		return fmt.Errorf("an offer is answered with %c and %q", letter, data)
	}
	m.protocol = binary.BigEndian.Uint32(data[8:])
	if m.protocol&onlyEnvelope != onlyEnvelope {
		return fmt.Errorf("the milter wants to see the message: %#x", m.protocol)
	}
	m.asked, err = askedFor(data[12:])
	return err
}

// askedFor reads which macros a milter wants: for each stage its number and a string with their names.
func askedFor(list []byte) (map[byte][]string, error) {
	asked := make(map[byte][]string)
	for len(list) > 0 {
		end := bytes.IndexByte(list[min(4, len(list)):], 0)
		if end < 0 {
			return nil, fmt.Errorf("macros of a stage end with %q", list)
		}
		stage := binary.BigEndian.Uint32(list)
		letter, ok := milterStages[stage]
		if !ok {
			return nil, fmt.Errorf("macros of stage %d, which there is not", stage)
		}
		for _, name := range bytes.FieldsFunc(list[4:4+end], func(r rune) bool { return r == ' ' || r == ',' }) {
			asked[letter] = append(asked[letter], string(name))
		}
		list = list[4+end+1:]
	}
	return asked, nil
}

// say sends a command with the macros that were asked for, in one write as sendmail does, and reads the answer, which must be
// to go on.
func (m *milterClient) say(letter byte, data []byte) error {
	macros := []byte{letter}
	for _, name := range m.asked[letter] {
		if value, ok := m.values[name]; ok {
			macros = append(macros, words(name, value)...)
		}
	}
	if _, err := m.conn.Write(append(packet(milterMacros, macros), packet(letter, data)...)); err != nil {
		return err
	}
	if letter == milterHelo && m.protocol&noHeloReply != 0 {
		return nil
	}
	answer, text, err := m.reply()
	if err != nil {
		return fmt.Errorf("after %c: %w", letter, err)
	}
	if answer != milterContinue {
		return fmt.Errorf("%c is answered with %c and %q, want %c", letter, answer, text, milterContinue)
	}
	return nil
}

// deliver brings a session from its client's arrival to the end of its first message.
func (m *milterClient) deliver(from netip.AddrPort) error {
	const ip4 = '4'
	arrival := append(words("client.example"), ip4)
	arrival = binary.BigEndian.AppendUint16(arrival, from.Port())
	arrival = append(arrival, words(from.Addr().String())...)
	for _, command := range []struct {
		letter byte
		data   []byte
	}{
		{milterConnect, arrival},
		{milterHelo, words("client.example")},
		{milterMail, words("<sender@client.example>")},
		{milterRcpt, words("<root@" + hostName + ">")},
		{milterEnd, nil},
	} {
		if err := m.say(command.letter, command.data); err != nil {
			return err
		}
	}
	return nil
}

func (m *milterClient) close() { m.conn.Close() }
