package tests

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A dialogue is what a client does and sees, a step a line. README.md in scripts/ lists the steps.
type dialogue struct {
	name  string
	steps []step
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
		case "<", "<?", "<...":
			s.re, err = regexp.Compile(arg)
		case "sleep", "quiet", "within":
			s.d, err = time.ParseDuration(arg)
		case "flood":
			s.n, err = strconv.Atoi(arg)
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
	*dialogue
	conn    *net.TCPConn
	r       *bufio.Reader
	start   time.Time
	last    time.Time     // when something was last sent or seen
	patient time.Duration // how long an expectation may take
	first   string        // the first line seen, or how the connection ended before one
	hold    func()        // what the step `hold` waits for
}

// replyTime is the time that an expectation has unless `within` says otherwise.
const replyTime = 20 * time.Second

// dial connects from one address to another and returns a talk that is ready to play.
func dial(d *dialogue, from, to string) (*talk, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: replyTime}
	start := time.Now()
	conn, err := dialer.Dial("tcp", net.JoinHostPort(to, "25"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.name, err)
	}
	return &talk{dialogue: d, conn: conn.(*net.TCPConn), r: bufio.NewReader(conn), start: start, last: start, patient: replyTime, hold: func() {}}, nil
}

// play goes through the steps, then closes the connection. Its error says which step failed and what was seen instead.
func (t *talk) play() error {
	defer t.conn.Close()
	for _, s := range t.steps {
		if err := t.step(s); err != nil {
			return fmt.Errorf("%s:%d: (+%v) %w", t.name, s.line, time.Since(t.start).Round(time.Millisecond), err)
		}
	}
	return nil
}

func (t *talk) step(s step) error {
	switch s.verb {
	case ">", ">>":
		return t.send(s.data)
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
	case "eof", "gone":
		line, err := t.read()
		if err == nil {
			return fmt.Errorf("got %q; want the end of the connection", line)
		}
		if !errors.Is(err, io.EOF) && !(s.verb == "gone" && errors.Is(err, syscall.ECONNRESET)) {
			return fmt.Errorf("%w; want the end of the connection", err)
		}
	case "quiet":
		_ = t.conn.SetReadDeadline(t.last.Add(s.d))
		seen, err := t.r.Peek(1)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("got %q, %v; want silence for %v", seen, err, s.d)
		}
	case "flood":
		return t.flood(s.n)
	case "sleep":
		time.Sleep(s.d)
	case "within":
		t.patient = s.d
	case "hold":
		t.hold()
	case "close-write":
		return t.conn.CloseWrite()
	case "reset":
		_ = t.conn.SetLinger(0) // close then sends RST
		return t.conn.Close()
	case "close":
		return t.conn.Close()
	}
	return nil
}

func (t *talk) send(data []byte) error {
	t.last = time.Now()
	_ = t.conn.SetWriteDeadline(t.last.Add(t.patient))
	_, err := t.conn.Write(data)
	return err
}

// flood sends n bytes without a line end, or as many as are taken until the server closes.
func (t *talk) flood(n int) error {
	block := []byte(strings.Repeat("x", 64<<10))
	for n > 0 {
		block = block[:min(n, len(block))]
		err := t.send(block)
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			return nil
		}
		if err != nil {
			return err
		}
		n -= len(block)
	}
	return nil
}

// read returns the next line without its line end. An end of the connection is an error that names what came before it.
func (t *talk) read() (string, error) {
	_ = t.conn.SetReadDeadline(time.Now().Add(t.patient))
	line, err := t.r.ReadString('\n')
	t.last = time.Now()
	switch {
	case err == nil && !strings.HasSuffix(line, "\r\n"):
		err = fmt.Errorf("got %q, a line without CRLF", line)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("got nothing in %v", t.patient)
	case err != nil && line != "":
		err = fmt.Errorf("got %q and the end of the connection", line)
	case err != nil:
		err = fmt.Errorf("got the end of the connection: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if t.first == "" {
		if t.first = line; err != nil {
			t.first = err.Error()
		}
	}
	return line, err
}
