package guard

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
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

// answerTime bounds the wait for an answer.
const answerTime = 15 * time.Second

// client is one connection with a mail server. What it hears is the whole answer, lines joined by \n; "" is that the
// server has ended the connection.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	addr netip.AddrPort
}

// comes connects a client and brings it to where it says MAIL.
func (s *site) comes(t *testing.T, w way, from netip.Addr) *client {
	t.Helper()
	c := s.enters(t, w, from)
	c.introduces(w)
	return c
}

// enters connects a client and brings it to where it is greeted. The door may be too busy for it at first, where this machine is.
func (s *site) enters(t *testing.T, w way, from netip.Addr) *client {
	t.Helper()
	for range 20 {
		c, greeting := s.knocks(t, w, from)
		switch {
		case strings.HasPrefix(greeting, "220 "):
			return c
		case !strings.HasPrefix(greeting, "421 4.3.2 "):
			t.Fatalf("greeted with %q", greeting)
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("the door stays too busy")
	return nil
}

// knocks connects a client and returns what it is greeted with.
func (s *site) knocks(t *testing.T, w way, from netip.Addr) (*client, string) {
	t.Helper()
	conn, err := connect(from, s.addr(from))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &client{t: t, conn: conn, in: bufio.NewReader(conn), addr: conn.LocalAddr().(*net.TCPAddr).AddrPort()}
	return c, c.hears()
}

// introduces says EHLO, and as this way wants it STARTTLS and EHLO once more.
func (c *client) introduces(w way) {
	c.t.Helper()
	c.wants("250", "EHLO client.test")
	if !w.tls {
		return
	}
	c.wants("220", "STARTTLS")
	cfg, err := tlsConfig()
	if err != nil {
		c.t.Fatal(err)
	}
	secure := tls.Client(c.conn, cfg)
	_ = secure.SetDeadline(time.Now().Add(answerTime))
	if err := secure.Handshake(); err != nil {
		c.t.Fatalf("STARTTLS: %v", err)
	}
	c.conn, c.in = secure, bufio.NewReader(secure)
	c.wants("250", "EHLO client.test")
}

// sends writes lines at once.
func (c *client) sends(lines ...string) {
	c.t.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(answerTime))
	_, err := c.conn.Write([]byte(strings.Join(lines, "\r\n") + "\r\n"))
	if err != nil && !gone(err) {
		c.t.Fatalf("%q: %v", lines, err)
	}
}

// gone says whether an error means that the server has ended the connection.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// hears is the next answer.
func (c *client) hears() string {
	c.t.Helper()
	return c.hearsWithin(answerTime)
}

func (c *client) hearsWithin(d time.Duration) string {
	c.t.Helper()
	answer, err := c.listen(d)
	if err != nil {
		c.t.Fatalf("%v: waiting for an answer: %v", c.addr, err)
	}
	return answer
}

// listen is hearsWithin for goroutines that are not the test's.
func (c *client) listen(d time.Duration) (string, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(d))
	var lines []string
	for {
		text, err := c.in.ReadString('\n')
		if err != nil && gone(err) && len(text) == 0 && len(lines) == 0 {
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("after %q: %w", append(lines, text), err)
		}
		text, crlf := strings.CutSuffix(text, "\r\n")
		if !crlf {
			return "", fmt.Errorf("not a line: %q", text)
		}
		lines = append(lines, text)
		if len(text) < 4 || text[3] != '-' {
			return strings.Join(lines, "\n"), nil
		}
	}
}

// says says a line and hears the answer.
func (c *client) says(line string) string {
	c.t.Helper()
	c.sends(line)
	return c.hears()
}

// wants says a line, to which the answer must begin so.
func (c *client) wants(code, line string) string {
	c.t.Helper()
	answer := c.says(line)
	if !strings.HasPrefix(answer, code) {
		c.t.Fatalf("%v: %q is answered %q; want %s", c.addr, line, answer, code)
	}
	return answer
}

const mailFrom = "MAIL FROM:<sender@client.test>"

// rcpt names a recipient of the mail server's.
func rcpt(name string) string { return "RCPT TO:<" + name + "@" + hostName + ">" }

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

// tells delivers the text of a message to the recipients named so far.
func (c *client) tells(recipients int) message {
	c.t.Helper()
	m := message{subject: newSubject(), recipients: recipients}
	c.wants("354", "DATA")
	answer := c.wants("250", "Subject: "+m.subject+"\r\n\r\n"+messageText+"\r\n.")
	queued := queuedAs.FindStringSubmatch(answer)
	if queued == nil {
		c.t.Fatalf("%v: the message is answered %q", c.addr, answer)
	}
	m.queue = queued[1]
	return m
}

// messageText is what no transcript and no log may hold.
const messageText = "The text of the message."

// delivers sends a message to recipients who all must be accepted.
func (c *client) delivers(names ...string) message {
	c.t.Helper()
	c.wants("250", mailFrom)
	for _, name := range names {
		c.wants("250", rcpt(name))
	}
	return c.tells(len(names))
}

// names makes n of them.
func names(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%03d", prefix, i))
	}
	return all
}

// guesses tries names until the server has ended the connection, and returns an answer for each that got one.
func (c *client) guesses(names ...string) (answers []string) {
	c.t.Helper()
	for _, name := range names {
		answer := c.says(rcpt(name))
		if answer == "" {
			break
		}
		answers = append(answers, answer)
	}
	return answers
}

// ends fails unless the server ends the connection within that time, whatever it still says.
func (c *client) ends(within time.Duration) (last []string) {
	c.t.Helper()
	for deadline := time.Now().Add(within); ; {
		answer, err := c.listen(time.Until(deadline))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.t.Fatalf("%v: the session has not ended after %v; heard %q", c.addr, within, last)
		case err != nil || answer == "": // also in the midst of a line
			return last
		}
		last = append(last, answer)
	}
}

// ends has the client say a line with whose answer the session must end. sendmail -bs ends TLS before it has sent its last answer,
// which is lost then.
func (s *site) ends(c *client, w way, code, line string) {
	c.t.Helper()
	answer := c.says(line)
	lost := answer == "" && w.tls && s.kind.name == inetd.name
	if !lost && !strings.HasPrefix(answer, code) {
		c.t.Errorf("%v: %q is answered %q; want %s", c.addr, line, answer, code)
	}
	c.ends(endTime)
}
