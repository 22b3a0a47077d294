package guard

import (
	"errors"
	"net"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// mta is the MTA's side of a session, byte by byte.
type mta struct {
	net.Conn
	t testing.TB
}

const offered = lab.MilterOffer

// dial connects to the guard and sends nothing.
func (p *post) dial() *mta { return dial(p.t, "unix", p.socket) }

func dial(t testing.TB, network, address string) *mta {
	t.Helper()
	c, err := lab.DialMilter(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &mta{c.Conn, t}
}

// mta is an MTA that has negotiated with the guard.
func (p *post) mta() *mta {
	p.t.Helper()
	return p.dial().negotiate()
}

func (m *mta) negotiate() *mta {
	m.t.Helper()
	if err := m.milter().Negotiate(); err != nil {
		m.t.Fatal(err)
	}
	return m
}

// milter speaks the protocol. It sends all macros, not only those that the guard asks for.
func (m *mta) milter() *lab.Milter { return &lab.Milter{Conn: m.Conn} }

// client is a session that has got as far as HELO.
func (p *post) client(addr string) *mta {
	p.t.Helper()
	m := p.mta()
	m.want("c", m.connect(addr, 40000))
	m.send("Hclient.example\x00") // which gets no answer
	return m
}

func frame(packet string) []byte { return lab.Frame(packet) }

func (m *mta) send(packet string) { m.raw(frame(packet)) }

// raw sends bytes. If the guard has closed the connection, the next answer shows it.
func (m *mta) raw(b []byte) {
	if _, err := m.milter().Write(b); err != nil && isTimeout(err) {
		m.t.Errorf("the guard does not read: %v", err)
	}
}

// answer is the guard's next packet, without the NUL at its end; "" if it has ended the session.
func (m *mta) answer() string {
	m.t.Helper()
	return m.heard(m.milter().Answer())
}

func (m *mta) heard(answer string, err error) string {
	m.t.Helper()
	if err != nil {
		if isTimeout(err) {
			m.t.Errorf("the guard does not answer: %v", err)
		}
		return ""
	}
	return answer
}

func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout()
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
func macrosOf(command byte, pairs ...string) string { return lab.MilterMacros(command, pairs...) }

func connecting(addr string, port uint16) string { return lab.MilterConnect(addr, port) }

// connect sends a client's packet as sendmail does; mail begins a transaction.
func (m *mta) connect(addr string, port uint16) string {
	m.t.Helper()
	return m.heard(m.milter().Connect(addr, port))
}

func (m *mta) mail(pairs ...string) string {
	m.t.Helper()
	return m.heard(m.milter().Mail("sender@example.org", pairs...))
}

// null begins a transaction of the null sender.
func (m *mta) null() string {
	m.t.Helper()
	return m.heard(m.milter().Mail(""))
}

// good is a recipient that the MTA accepts, bad one that it has rejected, busy one that it defers.
func (m *mta) good(name string) string { return m.rcpt(name, "local", "", name) }

func (m *mta) bad(name string) string {
	return m.rcpt(name, "error", "5.1.1", "550 5.1.1 User unknown")
}

func (m *mta) busy(name string) string {
	return m.rcpt(name, "error", "4.3.0", "451 4.3.0 try again")
}

func (m *mta) rcpt(name, mailer, host, addr string) string {
	m.t.Helper()
	return m.heard(m.milter().Rcpt(name, mailer, host, addr))
}

// rset ends a transaction without a message, which has no answer; end is the end of a message.
func (m *mta) rset()       { m.send("A") }
func (m *mta) end() string { m.t.Helper(); return m.heard(m.milter().End()) }
