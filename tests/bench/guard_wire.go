package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"sendwrap/tests/lab"
)

// packet is one of the milter protocol (libmilter's mfdef.h): its length in 4 bytes, a letter, and
// strings.
func packet(letter byte, strings ...string) []byte {
	data := []byte{letter}
	for _, s := range strings {
		data = append(append(data, s...), 0)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
}

// What sendmail offers: version 6 of the protocol, all actions, all steps.
const milterOffer = "\x00\x00\x00\x0dO\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff"

// milterSession opens a session with a milter as sendmail does for a client, and tells it of a
// message, up to its end. The milter must ask for what the guard asks for: no answer to HELO,
// nothing of the text.
func milterSession(socket string, from netip.Addr) (net.Conn, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	address := from.String()
	const continues = 'c'
	for _, step := range []struct {
		send []byte
		want byte // what the answer begins with; 0: there is none
	}{
		{[]byte(milterOffer), 'O'},
		{append(packet('D', "C_", "client.example ["+address+"]", "{client_addr}", address),
			packet('C', "client.example", "4\x9c\x40"+address)...), continues},
		{packet('H', "client.example"), 0},
		{append(packet('D', "Mi", "5ALBHHZS000165"),
			packet('M', "<sender@client.example>")...), continues},
		{append(packet('D', "R{rcpt_mailer}", "local", "{rcpt_host}", "", "{rcpt_addr}", "root"),
			packet('R', "<root@"+lab.HostName+">")...), continues},
		{packet('E'), continues},
	} {
		if _, err = conn.Write(step.send); err == nil && step.want != 0 {
			err = answered(conn, step.want)
		}
		if err != nil {
			conn.Close()
			return nil, fmt.Errorf("after %q: %w", step.send, err)
		}
	}
	return conn, nil
}

// answered reads a packet of the milter's, which must have this letter.
func answered(conn net.Conn, want byte) error {
	if err := conn.SetReadDeadline(time.Now().Add(lab.Patience)); err != nil {
		return err
	}
	var length [4]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > 1<<16 {
		return fmt.Errorf("a packet of %d bytes", n)
	}
	p := make([]byte, n)
	if _, err := io.ReadFull(conn, p); err != nil {
		return err
	}
	if p[0] != want {
		return fmt.Errorf("answer %q, want %c", p, want)
	}
	return nil
}
