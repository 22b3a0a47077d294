package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// mta is the MTA's end of a session, byte by byte.
type mta struct {
	net.Conn
	t testing.TB
}

// offered is what sendmail 8.17 says first: version 6, all actions and all of the protocol.
const offered = "O\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff"

// dial connects to the guard and says nothing.
func (p *post) dial() *mta { return dial(p.t, "unix", p.socket) }

func dial(t testing.TB, network, address string) *mta {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &mta{c, t}
}

// mta is one that has come to an agreement with the guard.
func (p *post) mta() *mta {
	p.t.Helper()
	return p.dial().negotiate()
}

func (m *mta) negotiate() *mta {
	m.t.Helper()
	if got := m.ask(offered); got == "" || got[0] != 'O' {
		m.t.Fatalf("the guard negotiates with %q", got)
	}
	return m
}

// client is a session that has got as far as HELO.
func (p *post) client(addr string) *mta {
	p.t.Helper()
	m := p.mta()
	m.want("c", m.connect(addr, 40000))
	m.send("Hclient.example\x00") // which gets no answer
	return m
}

// frame is a packet as it goes over the wire: a byte that says what it is, and data.
func frame(packet string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(packet))), packet...)
}

func (m *mta) send(packet string) { m.raw(frame(packet)) }

// raw sends bytes; if the guard has left, the next answer says so.
func (m *mta) raw(b []byte) {
	_ = m.SetWriteDeadline(time.Now().Add(patience))
	if _, err := m.Write(b); err != nil && isTimeout(err) {
		m.t.Errorf("the guard does not read: %v", err)
	}
}

// answer is the guard's next packet, without the NUL at its end; "" if it has ended the session.
func (m *mta) answer() string {
	m.t.Helper()
	_ = m.SetReadDeadline(time.Now().Add(patience))
	var length [4]byte
	_, err := io.ReadFull(m, length[:])
	var packet []byte
	if err == nil {
		packet = make([]byte, binary.BigEndian.Uint32(length[:]))
		_, err = io.ReadFull(m, packet)
	}
	if err != nil {
		if isTimeout(err) {
			m.t.Errorf("the guard does not answer: %v", err)
		}
		return ""
	}
	return strings.TrimSuffix(string(packet), "\x00")
}

func isTimeout(err error) bool {
	wrong, is := errors.AsType[net.Error](err)
	return is && wrong.Timeout()
}

func (m *mta) ask(packet string) string {
	m.t.Helper()
	m.send(packet)
	return m.answer()
}

// want fails unless the answer begins so.
func (m *mta) want(begins, got string) {
	m.t.Helper()
	if !strings.HasPrefix(got, begins) || begins == "" && got != "" {
		m.t.Fatalf("the guard answers %q; want %q", got, begins)
	}
}

// macros are packed as "name", "value", …
func macrosOf(command byte, pairs ...string) string {
	return fmt.Sprintf("D%c%s\x00", command, strings.Join(pairs, "\x00"))
}

// connect tells of a client as sendmail does.
func (m *mta) connect(addr string, port uint16) string {
	m.t.Helper()
	m.send(macrosOf('C', "_", "client.example ["+addr+"]", "{client_addr}", addr, "{client_port}", fmt.Sprint(port)))
	return m.ask(connecting(addr, port))
}

func connecting(addr string, port uint16) string {
	family := byte('4')
	if strings.Contains(addr, ":") {
		family = '6'
	}
	return "Cclient.example\x00" + string([]byte{family, byte(port >> 8), byte(port)}) + addr + "\x00"
}

// mail begins a transaction.
func (m *mta) mail(pairs ...string) string {
	m.t.Helper()
	m.send(macrosOf('M', append([]string{"i", "QUEUE1"}, pairs...)...))
	return m.ask("M<sender@example.org>\x00")
}

// good is a recipient that the MTA takes, bad one that it has rejected, busy one that it puts off.
func (m *mta) good(name string) string { return m.rcpt(name, "local", "", name) }

func (m *mta) bad(name string) string {
	return m.rcpt(name, "error", "5.1.1", "550 5.1.1 User unknown")
}

func (m *mta) busy(name string) string {
	return m.rcpt(name, "error", "4.3.0", "451 4.3.0 try again")
}

func (m *mta) rcpt(name, mailer, host, addr string) string {
	m.t.Helper()
	m.send(macrosOf('R', "{rcpt_mailer}", mailer, "{rcpt_host}", host, "{rcpt_addr}", addr))
	return m.ask("R<" + name + ">\x00")
}

// rset ends a transaction that has come to nothing, which is not answered; end is the end of a message.
func (m *mta) rset()       { m.send("A") }
func (m *mta) end() string { m.t.Helper(); return m.ask("E") }
