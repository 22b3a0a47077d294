package try

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Address completes HOST:PORT or :PORT. The latter is on loopback, so that nothing can be reached
// from outside unless the user asks for it. The error says what to write.
func Address(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if _, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil {
		return "", fmt.Errorf("%q is not an address to listen on; write HOST:PORT or :PORT", s)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// Listen keeps the super-server or the room open at an [Address] until SIGINT, SIGTERM or SIGHUP,
// and prints how to try it by hand. sendwrap's log lines go to Options.Log, and a line follows when
// a connection's process has ended. If the room or the guard ends by itself, that is an error. It
// leaves no process and no file behind.
func Listen(o Options, address string) (err error) {
	ctx, stop := untilSignal()
	defer stop()
	s, err := open(o, address, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	var roomEnded, guardEnded chan struct{}
	var exits chan processExit
	switch server := s.server.(type) {
	case *room:
		roomEnded = server.ended
	case *superServer:
		exits = server.ended
	}
	if s.standIn {
		s.asker = "the stand-in"
		if err := s.startGuard(o.Log); err != nil {
			return err
		}
		guardEnded = s.guard.ended
	}
	p := &printer{out: o.Out}
	p.println(s.describe() + "\n")
	p.println(s.hints())
	for p.err == nil {
		select {
		case e := <-exits:
			p.exit(e)
		case <-roomEnded:
			return s.server.(*room).exit.unexpected("room")
		case <-guardEnded:
			return s.guard.failure()
		case <-ctx.Done():
			return p.err
		}
	}
	return p.err
}

// hints are commands to type.
func (s *stage) hints() string {
	at := s.server.address()
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(addressOf(0), at.Port())
	}
	text := fmt.Sprintf("nc %v %d", at.Addr(), at.Port())
	if at.Addr().Is4() && at.Addr().IsLoopback() {
		text = fmt.Sprintf("%s\nnc -s %v %v %d   (allowed)\nnc -s %v %v %d   (denied)", text,
			addressOf(trusted), at.Addr(), at.Port(), addressOf(unwanted), at.Addr(), at.Port())
	}
	return fmt.Sprintf("%s\n%s status -f %s\n", text, s.options.Program, s.file)
}
