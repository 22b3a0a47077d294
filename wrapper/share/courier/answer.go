package courier

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
)

// maxAnswer is how large one answer of the engine may be, in bytes. It is more than five times of
// what honest machines have there: 256 events, or 500 keys. In memory it can be ten times as much.
const maxAnswer = 512 << 10

var (
	errTooLarge = errors.New("an answer of the engine is too large")
	errAnswer   = errors.New("unexpected answer")
)

// bounded is a connection that ends where an answer is too large. Else whoever writes large values
// into the engine decides how much memory the courier takes.
type bounded struct {
	net.Conn
	answer   answer
	tooLarge *atomic.Bool
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if wrong := b.answer.take(p[:n]); wrong != nil {
		if wrong == errTooLarge {
			b.tooLarge.Store(true)
		}
		return 0, wrong
	}
	return n, err
}

// connect opens a connection to a server of the engine.
func (c *courier) connect(ctx context.Context, to string, d *net.Dialer, t *tls.Config) (net.Conn,
	error) {
	var conn net.Conn
	var err error
	if e := c.Engines[0]; e.Network == "unix" {
		conn, err = d.DialContext(ctx, "unix", e.Address)
	} else if t != nil {
		conn, err = (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", to)
	} else {
		conn, err = d.DialContext(ctx, "tcp", to)
	}
	if err != nil {
		return nil, err
	}
	return &bounded{Conn: conn, tooLarge: &c.tooLarge}, nil
}

// answer follows what an engine says, to know where one answer ends and the next begins. An answer
// is a value: a line, which may say how many bytes or values come after it (RESP3).
type answer struct {
	size int    // bytes of this answer, with those of the text that has begun
	left int    // values of it that have not begun
	open []int  // such values of each one that has values in it, the outermost first
	text int    // bytes of the text that have not come
	line []byte // that has begun: its first bytes
}

// take follows what was read. It fails as soon as an answer says that it will be too large, or as a
// reader could not know how much comes.
func (a *answer) take(p []byte) error {
	const (
		longest = 24 // bytes of a line that matter
		least   = 3  // bytes of a value
	)
	for len(p) > 0 {
		if a.text > 0 {
			n := min(a.text, len(p))
			a.text, p = a.text-n, p[n:]
			continue
		}
		if a.left == 0 && len(a.line) == 0 { // another answer begins
			a.left, a.size, a.open = 1, 0, a.open[:0]
		}
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		a.line = append(a.line, line[:min(len(line), longest-len(a.line))]...)
		a.size, p = a.size+len(line)+1, rest
		if ended {
			if err := a.begin(string(a.line)); err != nil {
				return err
			}
			a.line = a.line[:0]
		}
		if a.size+least*a.left > maxAnswer {
			return errTooLarge
		}
	}
	return nil
}

// begin begins the value of that line.
func (a *answer) begin(line string) error {
	before := a.left
	a.left--
	line, whole := strings.CutSuffix(line, "\r")
	if line == "" {
		return errAnswer
	}
	switch kind := line[0]; kind {
	case '_', '#': // their length is fixed
		if want := strings.Index("_#", line[:1]) + 1; len(line) != want || !whole {
			return errAnswer
		}
	case '$', '=', '!', '*', '~', '>', '%', '|':
		n, err := strconv.Atoi(line[1:])
		switch {
		case err != nil, !whole, n < -1:
			return errAnswer
		case n > maxAnswer:
			return errTooLarge
		case n == -1 && (kind == '$' || kind == '*'): // nothing
		case n == -1:
			return errAnswer
		case kind == '%':
			a.left += 2 * n
		case kind == '|':
			a.left += 2*n + 1 // and the value that it is about
		case strings.IndexByte("$=!", kind) >= 0:
			a.text = n + len("\r\n")
			a.size += a.text
		default:
			a.left += n
		}
	}
	return a.nest(a.left - (before - 1))
}

// deepest is how deep values may lie in values: a reader takes memory for each. Engines have five.
const deepest = 16

// nest follows how deep the value that has begun lies. It has so many values in it.
func (a *answer) nest(inside int) error {
	last := len(a.open) - 1
	if last >= 0 {
		a.open[last]--
	}
	if inside > 0 {
		if a.open = append(a.open, inside); len(a.open) > deepest {
			return errAnswer
		}
		return nil
	}
	for ; last >= 0 && a.open[last] == 0; last-- {
		a.open = a.open[:last]
	}
	return nil
}
