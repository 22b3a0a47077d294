package try

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Address completes HOST:PORT, or :PORT, which is one on loopback: what is tried is not to be seen from outside unless
// somebody says so. The error says what to write.
func Address(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if _, wrong := strconv.ParseUint(port, 10, 16); err != nil || wrong != nil {
		return "", fmt.Errorf("%q is not an address to listen at; write HOST:PORT or :PORT", s)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// Listen keeps the super-server or the room open at an [Address] until SIGINT, SIGTERM or SIGHUP, and says how to try it
// by hand. Sendwrap's log lines go to Options.Log, and a line follows when a connection's process has ended. That a room
// or the guard has is an error, as nobody told it to. No process or file is left behind.
func Listen(o Options, address string) (err error) {
	ctx, stop := untilTold()
	defer stop()
	s, err := open(o, address, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	var gone chan struct{}
	if s.standIn {
		s.asker = "the stand-in"
		if err := s.watch(o, o.Log); err != nil {
			return err
		}
		gone = s.guard.ended
	}
	p := &printer{out: o.Out}
	p.say(s.describe(o) + "\n")
	p.say(s.hints(o.Program))
	for p.err == nil {
		select {
		case d := <-s.server.departed():
			if o.Room {
				return d.unasked("room")
			}
			p.departure(d)
		case <-gone:
			return s.guard.unasked()
		case <-ctx.Done():
			return p.err
		}
	}
	return p.err
}

// hints are commands to type.
func (s *stage) hints(program string) string {
	at := s.server.address()
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(addressOf(0), at.Port())
	}
	text := fmt.Sprintf("nc %v %d", at.Addr(), at.Port())
	if at.Addr().Is4() && at.Addr().IsLoopback() {
		text = fmt.Sprintf("%s\nnc -s %v %v %d   (allowed)\nnc -s %v %v %d   (denied)",
			text, addressOf(trusted), at.Addr(), at.Port(), addressOf(unwanted), at.Addr(), at.Port())
	}
	return fmt.Sprintf("%s\n%s status -f %s\n", text, program, s.file)
}
