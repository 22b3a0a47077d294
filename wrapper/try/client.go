package try

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// client is one SMTP client of the cast.
type client struct {
	conn   net.Conn
	in     *bufio.Reader
	came   time.Time
	forget func() bool // the context's end
}

// sight is what a client saw.
type sight struct {
	reply string        // the line that greeted or refused it, or one of the below
	took  time.Duration // from its arrival until then
	err   error         // what else it met that it should not have
}

// What a client may see instead of a reply.
const (
	nothing = "nothing"
	closed  = "closed without a word"
)

// dial comes from an address to the server. Whatever the client waits for, it waits no longer than the context holds.
func dial(ctx context.Context, from netip.Addr, to netip.AddrPort) (*client, error) {
	came := time.Now()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	conn, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	forget := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return &client{conn, bufio.NewReader(conn), came, forget}, nil
}

func (c *client) close() {
	c.forget()
	c.conn.Close()
}

// reply reads a reply, all its lines, and returns the last one: "" and io.EOF if the other side closes before. A
// greeting may be of two programs: `220-` from sendwrap's teaser, `220 ` from the MTA.
func (c *client) reply() (string, error) {
	for range 100 {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		if text := strings.TrimRight(string(line), "\r\n"); len(text) < 4 || text[3] != '-' {
			return text, nil
		}
	}
	return "", errors.New("a reply of more than 100 lines")
}

// say sends one line.
func (c *client) say(line string) error {
	_, err := io.WriteString(c.conn, line+"\r\n")
	return err
}

// greeting is what the client sees first.
func (c *client) greeting() sight {
	line, err := c.reply()
	took := time.Since(c.came)
	switch {
	case err == io.EOF:
		return sight{reply: closed, took: took}
	case err != nil:
		return sight{reply: nothing, took: took, err: err}
	}
	return sight{reply: line, took: took}
}

// ask sends a command and wants a reply of the code given.
func (c *client) ask(command, code string) error {
	if err := c.say(command); err != nil {
		return err
	}
	line, err := c.reply()
	if err == nil && !strings.HasPrefix(line, code) {
		err = fmt.Errorf("replied %q", line)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w; want %s", command, err, code)
		if command == toPostmaster && strings.HasPrefix(line, "5") {
			err = fmt.Errorf("%w\n%s", err, noPostmaster)
		}
		return err
	}
	return nil
}

// The ways in which the cast behaves.

// wait waits for the greeting, and quits if it is greeted.
func (c *client) wait() sight {
	s := c.greeting()
	c.quit(&s)
	return s
}

func (c *client) quit(s *sight) {
	if code(s.reply) == greeted {
		s.err = errors.Join(s.err, c.ask("QUIT", "221"))
	}
}

// deliver waits for the greeting and delivers a mail.
func (c *client) deliver() sight { return c.send(step{toPostmaster, "250"}) }

const (
	toPostmaster = "RCPT TO:<postmaster>"
	noPostmaster = "every domain needs a postmaster (RFC 5321 section 4.5.1); " +
		`for sendmail write "postmaster: root" into /etc/aliases and run newaliases`
)

// step is a command and the code of its reply.
type step struct{ command, code string }

// send waits for the greeting and sends a mail to these recipients. It has no sender, so that nobody ever gets a bounce.
func (c *client) send(to ...step) sight {
	s := c.greeting()
	if code(s.reply) != greeted {
		return s
	}
	steps := append([]step{{"EHLO try.example", "250"}, {"MAIL FROM:<>", "250"}}, to...)
	steps = append(steps,
		step{"DATA", "354"},
		step{"Subject: sendwrap try\r\n\r\nA client that waits gets through.\r\n.", "250"},
		step{"QUIT", "221"},
	)
	for _, st := range steps {
		if s.err = c.ask(st.command, st.code); s.err != nil {
			break
		}
	}
	return s
}

// slam speaks before it is greeted.
func (c *client) slam() sight {
	if err := c.say("EHLO try.example"); err != nil {
		return sight{reply: nothing, took: time.Since(c.came), err: err}
	}
	return c.wait()
}

// leave hangs up after a while without having said a word.
func (c *client) leave(after time.Duration) sight {
	if err := c.conn.SetReadDeadline(c.came.Add(after)); err != nil {
		return sight{reply: nothing, err: err}
	}
	s := c.greeting()
	if errors.Is(s.err, os.ErrDeadlineExceeded) {
		s.err = nil
	}
	return s
}

// alone makes one client come, which behaves as given.
func alone(from netip.Addr, call call, behave func(*client) sight) []sight {
	c, err := call(from)
	if err != nil {
		return []sight{{reply: nothing, err: err}}
	}
	defer c.close()
	return []sight{behave(c)}
}

// many makes n clients come, each so long after the one before. Who is greeted stays until all have seen something, so
// that as many sessions are open at once as can be.
func many(n int, apart time.Duration, from netip.Addr, call call) []sight {
	sights := make([]sight, n)
	var seen, left sync.WaitGroup
	seen.Add(n)
	for i := range n {
		left.Go(func() {
			c, err := call(from)
			if err != nil {
				sights[i] = sight{reply: nothing, err: err}
				seen.Done()
				return
			}
			defer c.close()
			sights[i] = c.greeting()
			seen.Done()
			seen.Wait()
			c.quit(&sights[i])
		})
		time.Sleep(apart)
	}
	left.Wait()
	return sights
}

// greeted is the code of an MTA's greeting.
const greeted = "220"

// code is what counts of a reply: its code, and for a refusal the enhanced status code behind it (RFC 3463). A greeting's second word
// is the MTA's name.
func code(reply string) string {
	first, rest, _ := strings.Cut(reply, " ")
	if len(first) != 3 || first[0] < '2' || first[0] > '5' {
		return reply
	}
	status, _, _ := strings.Cut(rest, " ")
	if first[0] < '4' || strings.Count(status, ".") != 2 || status[0] != first[0] {
		return first
	}
	return first + " " + status
}
