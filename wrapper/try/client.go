package try

import (
	"bufio"
	"bytes"
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

	"golang.org/x/sys/unix"
)

// client is one SMTP client of the show.
type client struct {
	conn   net.Conn
	in     *bufio.Reader
	start  time.Time
	unbind func() bool // from the context that limits it
}

// sight is what a client saw.
type sight struct {
	reply string        // the line that greeted or refused it, or one of the below
	took  time.Duration // from its arrival until then
	err   error         // what else went wrong
}

// What a client may see instead of a reply.
const (
	nothing = "nothing"
	closed  = "closed without a reply"
)

// dial connects from an address to the server. The client waits for nothing longer than the context
// lasts.
func dial(ctx context.Context, from netip.Addr, to netip.AddrPort) (*client, error) {
	start := time.Now()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	conn, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	unbind := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return &client{conn, bufio.NewReader(conn), start, unbind}, nil
}

func (c *client) close() {
	c.unbind()
	c.conn.Close()
}

// reply reads a reply and returns its last line: "" and io.EOF if the server closes before. A
// greeting may come from two programs: `220-` from sendwrap's teaser, `220 ` from the MTA.
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

// send sends one line.
func (c *client) send(line string) error {
	_, err := io.WriteString(c.conn, line+"\r\n")
	return err
}

// greeting is what the client sees first.
func (c *client) greeting() sight {
	line, err := c.reply()
	took := time.Since(c.start)
	switch {
	case err == io.EOF:
		return sight{reply: closed, took: took}
	case err != nil:
		return sight{reply: nothing, took: took, err: err}
	}
	return sight{reply: line, took: took}
}

// seenSoFar is the greeting of a client that has got it by now, whole, and nothing otherwise. It
// asks the socket: a deadline would depend on when this goroutine gets its turn.
func (c *client) seenSoFar() sight {
	raw, err := c.conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return sight{reply: nothing, err: err}
	}
	text := make([]byte, 4096)
	var n int
	var looked error
	err = raw.Control(func(fd uintptr) {
		n, _, looked = unix.Recvfrom(int(fd), text, unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	if err != nil {
		return sight{reply: nothing, err: err}
	}
	if n > 0 {
		whole := bufio.NewReader(bytes.NewReader(text[:n]))
		if _, err := (&client{in: whole}).reply(); err != nil {
			return sight{reply: nothing} // a teaser
		}
	}
	if looked == unix.EAGAIN {
		return sight{reply: nothing}
	}
	return c.greeting()
}

// ask sends a command and wants a reply of the code given.
func (c *client) ask(command, code string) error {
	if err := c.send(command); err != nil {
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
	}
	return err
}

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

const (
	toPostmaster = "RCPT TO:<postmaster>"
	noPostmaster = "every domain needs a postmaster (RFC 5321 section 4.5.1); " +
		`for sendmail write "postmaster: root" into /etc/aliases and run newaliases`
)

// step is a command and the code of its reply.
type step struct{ command, code string }

// deliver waits for the greeting and delivers a message.
func (c *client) deliver() sight { return c.deliverTo(step{toPostmaster, "250"}) }

// deliverTo delivers a message to these recipients. It has no sender, so that nobody ever gets a
// bounce.
func (c *client) deliverTo(rcpts ...step) sight {
	s := c.greeting()
	if code(s.reply) != greeted {
		return s
	}
	steps := append([]step{{"EHLO try.example", "250"}, {"MAIL FROM:<>", "250"}}, rcpts...)
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
	if err := c.send("EHLO try.example"); err != nil {
		return sight{reply: nothing, took: time.Since(c.start), err: err}
	}
	return c.wait()
}

// leave hangs up after a while, and sends nothing before.
func (c *client) leave(after time.Duration) sight {
	if err := c.conn.SetReadDeadline(c.start.Add(after)); err != nil {
		return sight{reply: nothing, err: err}
	}
	s := c.greeting()
	if errors.Is(s.err, os.ErrDeadlineExceeded) {
		s.err = nil
	}
	return s
}

// runOne connects one client, which behaves as given.
func runOne(from netip.Addr, connect dialFunc, behave func(*client) sight) []sight {
	c, err := connect(from)
	if err != nil {
		return []sight{{reply: nothing, err: err}}
	}
	defer c.close()
	return []sight{behave(c)}
}

// runMany connects n clients, with a pause after each. Those that are greeted stay until all have
// seen something, so that as many sessions as possible are open at once.
func runMany(n int, pause time.Duration, from netip.Addr, connect dialFunc) []sight {
	sights := make([]sight, n)
	var seen, left sync.WaitGroup
	seen.Add(n)
	for i := range n {
		left.Go(func() {
			c, err := connect(from)
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
		time.Sleep(pause)
	}
	left.Wait()
	return sights
}

// greeted is the code of an MTA's greeting.
const greeted = "220"

// code is the code of a reply, and of a refusal also its enhanced status code (RFC 3463). In a
// greeting the second word is the MTA's name.
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
