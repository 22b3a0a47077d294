package tests

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// A dialogue is what a client does and sees, a step a line. README.md in scripts/ lists the steps.
type dialogue struct {
	name    string
	steps   []step
	retries bool // in a crowd: the client comes again when the server is busy
}

type step struct {
	line int // in the dialogue
	verb string
	re   *regexp.Regexp
	data []byte
	d    time.Duration
	n    int
}

// parseDialogue reads the text of a dialogue.
func parseDialogue(name, text string) (*dialogue, error) {
	d := &dialogue{name: name}
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		verb, arg, _ := strings.Cut(line, " ")
		s := step{line: i + 1, verb: verb}
		var err error
		switch verb {
		case ">":
			s.data = []byte(arg + "\r\n")
		case ">>":
			var raw string
			raw, err = strconv.Unquote(arg)
			s.data = []byte(raw)
		case "<", "<?", "<...", "seen":
			s.re, err = regexp.Compile(arg)
		case "sleep", "quiet":
			s.d, err = time.ParseDuration(arg)
		case "flood":
			s.n, err = strconv.Atoi(arg)
		case "again":
			d.retries = true
			continue
		case "eof", "gone", "close", "close-write", "reset", "hold":
			if arg != "" {
				err = fmt.Errorf("%s takes no argument", verb)
			}
		default:
			err = fmt.Errorf("unknown step %q", verb)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, s.line, err)
		}
		d.steps = append(d.steps, s)
	}
	return d, nil
}

// A talk is one connection on which a dialogue is played.
type talk struct {
	*lab.Client
	*dialogue
	start time.Time
	last  time.Time // when something was last sent, or when it began to connect
	// the first line seen, or how the connection ended before one; "" is nothing yet
	first string
	hold  func() // what the step `hold` waits for
}

// dial connects from one address to another and returns a talk that is ready to play.
func dial(d *dialogue, from, to string) (*talk, error) {
	client, err := netip.ParseAddr(from)
	if err != nil {
		return nil, err
	}
	server, err := netip.ParseAddr(to)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	conn, err := lab.Dial(client, netip.AddrPortFrom(server, 25))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.name, err)
	}
	return &talk{Client: conn, dialogue: d, start: start, last: start, hold: func() {}}, nil
}

// play goes through the steps, then closes the connection. Its error says which step failed and
// what was seen instead.
func (t *talk) play() error {
	defer t.Close()
	for _, s := range t.steps {
		if err := t.step(s); err != nil {
			after := time.Since(t.start).Round(time.Millisecond)
			return fmt.Errorf("%s:%d: (+%v) %w", t.name, s.line, after, err)
		}
	}
	return nil
}

func (t *talk) step(s step) error {
	switch s.verb {
	case ">", ">>":
		if err := t.send(s.data); !lab.Ended(err) { // what the server had to say may still be read
			return err
		}
	case "<":
		line, err := t.read()
		if err != nil {
			return fmt.Errorf("%w; want a line matching %s", err, s.re)
		}
		if !s.re.MatchString(line) {
			return fmt.Errorf("got %q; want a line matching %s", line, s.re)
		}
	case "<?":
		if line, err := t.read(); err == nil && !s.re.MatchString(line) {
			return fmt.Errorf("got %q; want a line matching %s or none", line, s.re)
		}
	case "<...":
		for {
			line, err := t.read()
			if err != nil {
				return fmt.Errorf("%w; want a line matching %s sooner or later", err, s.re)
			}
			if s.re.MatchString(line) {
				return nil
			}
		}
	case "seen":
		if !t.waiting() {
			return nil
		}
		return t.step(step{verb: "<", re: s.re})
	case "eof", "gone":
		line, err := t.read()
		if err == nil {
			return fmt.Errorf("got %q; want the end of the connection", line)
		}
		reset := s.verb == "gone" && errors.Is(err, syscall.ECONNRESET)
		if line != "" || !errors.Is(err, io.EOF) && !reset {
			return fmt.Errorf("%w; want the end of the connection", err)
		}
	case "quiet":
		return t.quiet(s.d)
	case "flood":
		return t.flood(s.n)
	case "sleep":
		time.Sleep(s.d)
	case "hold":
		t.hold()
	case "close-write":
		return t.Conn.(*net.TCPConn).CloseWrite()
	case "reset":
		return t.Abort()
	case "close":
		return t.Close()
	}
	return nil
}

// quiet fails if anything comes within d of the last bytes that were sent. Bytes that are found
// later may have come later.
func (t *talk) quiet(d time.Duration) error {
	deadline := t.last.Add(d)
	_ = t.SetReadDeadline(deadline)
	seen, err := t.In.Peek(1)
	if !errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(deadline) {
		return fmt.Errorf("got %q, %v; want silence for %v", seen, err, d)
	}
	return nil
}

// waiting reports whether anything has come that is not read yet, bytes or the end of the
// connection.
func (t *talk) waiting() bool {
	if t.In.Buffered() > 0 {
		return true
	}
	raw, err := t.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true // reading will say why
	}
	readable := true
	_ = raw.Control(func(fd uintptr) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		readable = n != 0 || err != nil
	})
	return readable
}

func (t *talk) send(data []byte) error {
	t.last = time.Now()
	_ = t.SetWriteDeadline(t.last.Add(lab.Patience))
	_, err := t.Write(data)
	return err
}

// flood sends n bytes without a line end, or fewer if the server closes before.
func (t *talk) flood(n int) error {
	block := []byte(strings.Repeat("x", 64<<10))
	for n > 0 {
		block = block[:min(n, len(block))]
		err := t.send(block)
		if lab.Ended(err) {
			return nil
		}
		if err != nil {
			return err
		}
		n -= len(block)
	}
	return nil
}

// read returns the next line. An end of the connection is an error that names what came before it.
func (t *talk) read() (string, error) {
	line, err := t.Line()
	if err != nil {
		err = fmt.Errorf("got %q and then %w", line, err)
	}
	if t.first == "" {
		if t.first = line; err != nil {
			t.first = err.Error()
		}
	}
	return line, err
}
