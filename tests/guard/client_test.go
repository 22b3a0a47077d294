package guard

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"sendwrap/tests/lab"
)

// way is how a client connects.
type way struct{ v6, tls bool }

var ways = []way{{false, false}, {false, true}, {true, false}, {true, true}}

func (w way) String() string {
	text := map[bool]string{false: "v4", true: "v6"}[w.v6]
	if w.tls {
		text += "-starttls"
	}
	return text
}

// client is one connection with a mail server. An answer is all its lines, joined by \n; "" means
// that the server has ended the connection.
type client struct {
	*lab.Client
	t *testing.T
}

// session connects a client, which is greeted and says EHLO.
func (s *site) session(t *testing.T, w way, from netip.Addr) *client {
	t.Helper()
	c := s.greeted(t, from)
	c.introduce(w)
	return c
}

// greeted connects a client, which must be greeted.
func (s *site) greeted(t *testing.T, from netip.Addr) *client {
	t.Helper()
	c, greeting := s.connect(t, from)
	if !strings.HasPrefix(greeting, "220 ") {
		t.Fatalf("greeted with %q", greeting)
	}
	return c
}

// connect connects a client and returns its greeting. It connects again while sendwrap says that
// the ledger is busy, which may happen on a slow machine.
func (s *site) connect(t *testing.T, from netip.Addr) (c *client, greeting string) {
	t.Helper()
	lab.Eventually(t, "the ledger is not busy", func() bool {
		conn, err := dial(from, s.addr(from))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		c = &client{conn, t}
		greeting = c.reply()
		return !strings.HasPrefix(greeting, "421 4.3.2 ")
	})
	return c, greeting
}

// introduce says EHLO and, if the way has TLS, STARTTLS and EHLO again.
func (c *client) introduce(w way) {
	c.t.Helper()
	c.expect("250", "EHLO client.test")
	if !w.tls {
		return
	}
	c.expect("220", "STARTTLS")
	cfg, err := tlsConfig()
	if err == nil {
		err = c.StartTLS(cfg)
	}
	if err != nil {
		c.t.Fatalf("STARTTLS: %v", err)
	}
	c.expect("250", "EHLO client.test")
}

// send sends lines in one write.
func (c *client) send(lines ...string) {
	c.t.Helper()
	if err := c.Send(lines...); err != nil {
		c.t.Fatalf("%v: %q: %v", c.Addr, lines, err)
	}
}

// reply is the next answer. One that the end of the connection cuts off does not count.
func (c *client) reply() string {
	c.t.Helper()
	answer, err := c.Reply()
	if err != nil && !lab.Ended(err) {
		c.t.Fatalf("%v: waiting for an answer: %v", c.Addr, err)
	}
	return answer
}

// command sends a line and returns the answer.
func (c *client) command(line string) string {
	c.t.Helper()
	c.send(line)
	return c.reply()
}

// expect sends a line; the answer must begin with the code.
func (c *client) expect(code, line string) string {
	c.t.Helper()
	answer := c.command(line)
	if !strings.HasPrefix(answer, code) {
		c.t.Fatalf("%v: %q is answered %q; want %s", c.Addr, line, answer, code)
	}
	return answer
}

const mailFrom = "MAIL FROM:<sender@client.test>"

// rcpt names a recipient of the mail server's.
func rcpt(name string) string { return "RCPT TO:<" + name + "@" + lab.HostName + ">" }

// message is a message that a mail server has accepted.
type message struct {
	subject    string // unique
	queue      string // the MTA's queue ID
	recipients int
}

var messages atomic.Uint32

func newSubject() string { return fmt.Sprintf("message %d", messages.Add(1)) }

// The MTAs' answer with the queue ID of a message.
var queuedAs = regexp.MustCompile(`^250 2\.0\.0 (?:Ok: queued as )?(\w+)`)

// sendData sends DATA and a message to the recipients accepted so far.
func (c *client) sendData(recipients int) message {
	c.t.Helper()
	c.expect("354", "DATA")
	return c.sendText(recipients)
}

// sendText sends the message, after DATA.
func (c *client) sendText(recipients int) message {
	c.t.Helper()
	m := message{subject: newSubject(), recipients: recipients}
	answer := c.expect("250", "Subject: "+m.subject+"\r\n\r\n"+messageText+"\r\n.")
	queued := queuedAs.FindStringSubmatch(answer)
	if queued == nil {
		c.t.Fatalf("%v: the message is answered %q", c.Addr, answer)
	}
	m.queue = queued[1]
	return m
}

// messageText must not be in any transcript or log.
const messageText = "The text of the message."

// sendMessage sends a message to recipients, all of which must be accepted.
func (c *client) sendMessage(names ...string) message {
	c.t.Helper()
	c.expect("250", mailFrom)
	for _, name := range names {
		c.expect("250", rcpt(name))
	}
	return c.sendData(len(names))
}

// names makes n names.
func names(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%03d", prefix, i))
	}
	return all
}

// tryNames names recipients until the server has ended the connection, and returns the answers.
func (c *client) tryNames(names ...string) (answers []string) {
	c.t.Helper()
	for _, name := range names {
		answer := c.command(rcpt(name))
		if answer == "" {
			break
		}
		answers = append(answers, answer)
	}
	return answers
}

// waitClosed waits until the server has ended the connection, and returns the answers until then.
func (c *client) waitClosed() (last []string) {
	c.t.Helper()
	for {
		answer, err := c.Reply()
		switch {
		case err == nil && answer != "":
			last = append(last, answer)
		case err == nil || lab.Ended(err): // also within a line
			return last
		default:
			c.t.Fatalf("%v: the session does not end: %v; answers until now: %q", c.Addr, err, last)
		}
	}
}

// saysYes reports whether the MTA says yes to everything after the limit, and throws it away: a
// sendmail -bs that the guard ends under TLS ends TLS before it has sent its answers.
func (s *site) saysYes(w way) bool { return w.tls && s.kind.name == inetd.name }

// last is how the answer that ends the session begins, and code what it begins with elsewhere.
func (s *site) last(code string, w way) string {
	if s.saysYes(w) && strings.HasPrefix(code, "421 ") {
		return "451 " + code[len("421 "):]
	}
	return code
}

// expectEnd sends a line; the answer must end the session.
func (s *site) expectEnd(c *client, w way, code, line string) {
	c.t.Helper()
	code = s.last(code, w)
	if answer := c.command(line); !strings.HasPrefix(answer, code) {
		c.t.Errorf("%v: %q is answered %q; want %s", c.Addr, line, answer, code)
	}
	c.waitClosed()
}
