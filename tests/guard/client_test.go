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

// way is how a client comes.
type way struct{ v6, tls bool }

var ways = []way{{false, false}, {false, true}, {true, false}, {true, true}}

func (w way) String() string {
	text := map[bool]string{false: "v4", true: "v6"}[w.v6]
	if w.tls {
		text += "-starttls"
	}
	return text
}

// client is one connection with a mail server. What it hears is the whole answer, lines joined by
// \n; "" is that the server has ended the connection.
type client struct {
	*lab.Client
	t *testing.T
}

// session connects a client and brings it to where it says MAIL.
func (s *site) session(t *testing.T, w way, from netip.Addr) *client {
	t.Helper()
	c := s.greeted(t, from)
	c.introduce(w)
	return c
}

// greeted connects a client and brings it to where it is greeted.
func (s *site) greeted(t *testing.T, from netip.Addr) *client {
	t.Helper()
	c, greeting := s.connect(t, from)
	if !strings.HasPrefix(greeting, "220 ") {
		t.Fatalf("greeted with %q", greeting)
	}
	return c
}

// connect connects a client and returns what it is greeted with. It comes again while too many
// others want the ledger at the door: that is how busy this machine is.
func (s *site) connect(t *testing.T, from netip.Addr) (c *client, greeting string) {
	t.Helper()
	lab.Eventually(t, "the door has time for the client", func() bool {
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

// introduce says EHLO, and as this way wants it STARTTLS and EHLO once more.
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

// send writes lines at once.
func (c *client) send(lines ...string) {
	c.t.Helper()
	if err := c.Send(lines...); err != nil {
		c.t.Fatalf("%v: %q: %v", c.Addr, lines, err)
	}
}

// reply is the next answer. One that the end cuts off is none.
func (c *client) reply() string {
	c.t.Helper()
	answer, err := c.Reply()
	if err != nil && !lab.Ended(err) {
		c.t.Fatalf("%v: waiting for an answer: %v", c.Addr, err)
	}
	return answer
}

// command says a line and hears the answer.
func (c *client) command(line string) string {
	c.t.Helper()
	c.send(line)
	return c.reply()
}

// expect says a line, to which the answer must begin so.
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

// message is one that a mail server has taken.
type message struct {
	subject    string // that no other has
	queue      string // the MTA's name for it
	recipients int
}

var messages atomic.Uint32

func newSubject() string { return fmt.Sprintf("message %d", messages.Add(1)) }

// How the MTAs say by which name they have queued a message.
var queuedAs = regexp.MustCompile(`^250 2\.0\.0 (?:Ok: queued as )?(\w+)`)

// sendData delivers the text of a message to the recipients named so far.
func (c *client) sendData(recipients int) message {
	c.t.Helper()
	c.expect("354", "DATA")
	return c.sendText(recipients)
}

// sendText is the rest of that, after DATA.
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

// messageText is what no transcript and no log may hold.
const messageText = "The text of the message."

// sendMessage sends a message to recipients who all must be accepted.
func (c *client) sendMessage(names ...string) message {
	c.t.Helper()
	c.expect("250", mailFrom)
	for _, name := range names {
		c.expect("250", rcpt(name))
	}
	return c.sendData(len(names))
}

// names makes n of them.
func names(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%03d", prefix, i))
	}
	return all
}

// tryNames tries names until the server has ended the connection, and returns an answer for each
// that got one.
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

// ends waits until the server has ended the connection, and returns what it still says.
func (c *client) waitClosed() (last []string) {
	c.t.Helper()
	for {
		answer, err := c.Reply()
		switch {
		case err == nil && answer != "":
			last = append(last, answer)
		case err == nil || lab.Ended(err): // also in the midst of a line
			return last
		default:
			c.t.Fatalf("%v: the session does not end: %v; heard %q", c.Addr, err, last)
		}
	}
}

// losesLast says whether that was a last answer which is lost: sendmail -bs ends TLS before it has
// sent it.
func (s *site) losesLast(answer string, w way) bool {
	return answer == "" && w.tls && s.kind.name == inetd.name
}

// ends has the client say a line with whose answer the session must end.
func (s *site) expectEnd(c *client, w way, code, line string) {
	c.t.Helper()
	answer := c.command(line)
	if !strings.HasPrefix(answer, code) && !s.losesLast(answer, w) {
		c.t.Errorf("%v: %q is answered %q; want %s", c.Addr, line, answer, code)
	}
	c.waitClosed()
}
