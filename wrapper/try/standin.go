package try

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
)

// Bounds of the stand-in, in octets, from RFC 5321 where it has one.
const (
	commandLine = 512     // §4.5.3.1.4, with CRLF
	textLine    = 1000    // §4.5.3.1.6; longer ones are read all the same
	messageSize = 1 << 20 // announced as SIZE (RFC 1870)
	recipients  = 100     // §4.5.3.1.8
	mistakes    = 20      // replies of 4xx and 5xx until it hangs up
	idleTime    = 5 * time.Minute
	sessionTime = 15 * time.Minute
	unreadTime  = time.Minute // for which the client may leave our replies unread
)

// mailboxes are those of the stand-in, at any domain.
var mailboxes = []string{"postmaster", "abuse", "hostmaster", "info"}

// StandIn is the MTA where there is none. It speaks SMTP (RFC 5321) on fds 0 and 1, knows the
// mailboxes postmaster, abuse, hostmaster and info, and discards the mail that it accepts. It
// returns when the client quits or leaves, has made 20 mistakes, has been idle for 5 minutes, or
// has been there for 15.
//
// It asks the guard that the configuration in file names about what sendmail would ask, and obeys
// as sendmail does. Without a guard, or with file "", it decides alone.
func StandIn(file string) {
	guard := guardOf(file)
	defer guard.close()
	client := stdio{in: 0, out: 1, until: time.Now().Add(sessionTime)}
	converse(client, wrapper.MachineName(), guard)
}

// guardOf opens a session with the guard of a configuration, about the client on fd 0; nil if there
// is no guard or no client.
func guardOf(file string) *filter {
	if file == "" {
		return nil
	}
	conn, err := wrapper.Inspect(0)
	c, _ := config.Load(file, allowlist.All())
	if err != nil || c == nil {
		return nil
	}
	return askGuard(c.GuardListen, conn.Client)
}

// converse is one session of the stand-in.
func converse(client io.ReadWriter, host string, guard *filter) {
	s := &standIn{host: host, in: bufio.NewReaderSize(client, textLine), out: client, guard: guard}
	if s.relay(guard.connect()) {
		return
	}
	s.reply("220 " + host + " ESMTP stand-in")
	for s.command() {
	}
}

type standIn struct {
	host     string
	in       *bufio.Reader
	out      io.Writer
	mistakes int
	gone     error // why the session is over
	guard    *filter

	hello bool // EHLO or HELO was said
	mail  bool // MAIL was
	rcpts int  // recipients of that mail
}

// reply sends a reply of one line or several.
func (s *standIn) reply(lines ...string) {
	if last := lines[len(lines)-1]; last[0] >= '4' {
		s.mistakes++
	}
	if _, err := io.WriteString(s.out, strings.Join(lines, "\r\n")+"\r\n"); err != nil {
		s.gone = err
	}
}

// errEnded means that the guard has ended the session.
var errEnded = errors.New("ended by the guard")

// relay sends the guard's reply, if it has one. After a 421 the session is over.
func (s *standIn) relay(reply string) bool {
	if reply == "" {
		return false
	}
	s.reply(reply)
	s.obey(reply)
	return true
}

// obey ends the session if the guard's reply is a 421.
func (s *standIn) obey(reply string) {
	if strings.HasPrefix(reply, "421") {
		s.gone = errEnded
	}
}

// command answers one command, and reports whether another may follow.
func (s *standIn) command() bool {
	line, whole, err := s.line()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.reply("421 4.4.2 " + s.host + " timeout")
		return false
	case err != nil, !whole && !s.skip():
		return false
	case !whole || len(line) > commandLine:
		s.reply("500 5.5.6 line too long")
	default:
		verb, arg, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
		if verb = strings.ToUpper(verb); verb == "QUIT" {
			s.reply("221 2.0.0 " + s.host + " bye")
			return false
		}
		s.answer(verb, strings.TrimSpace(arg))
	}
	if s.mistakes >= mistakes && s.gone == nil {
		s.reply("421 4.7.0 " + s.host + " too many errors")
		return false
	}
	return s.gone == nil
}

func (s *standIn) answer(verb, arg string) {
	switch verb {
	case "EHLO", "HELO":
		s.helo(verb, arg)
	case "MAIL":
		s.from(arg)
	case "RCPT":
		s.to(arg)
	case "DATA":
		s.data(arg)
	case "RSET":
		s.reset()
		s.reply("250 2.0.0 reset")
	case "NOOP":
		s.reply("250 2.0.0 nothing done")
	case "VRFY":
		s.reply("252 2.5.2 try RCPT")
	default:
		s.reply("500 5.5.1 unknown command")
	}
}

// reset drops the message under way.
func (s *standIn) reset() {
	if s.mail {
		s.guard.abort()
	}
	s.mail, s.rcpts = false, 0
}

func (s *standIn) helo(verb, arg string) {
	if arg == "" {
		s.reply("501 5.5.4 name yourself: " + verb + " HOST")
		return
	}
	s.reset()
	if s.relay(s.guard.helo(arg)) {
		return
	}
	s.hello = true
	if verb == "HELO" {
		s.reply("250 " + s.host)
		return
	}
	size := fmt.Sprintf("250-SIZE %d", messageSize)
	s.reply("250-"+s.host, "250-PIPELINING", "250-8BITMIME", size, "250 ENHANCEDSTATUSCODES")
}

func (s *standIn) from(arg string) {
	sender, parameters, ok := path(arg, "FROM:")
	switch {
	case !s.hello:
		s.reply("503 5.5.1 say EHLO first")
	case s.mail:
		s.reply("503 5.5.1 one mail at a time")
	case !ok:
		s.reply("501 5.5.4 write MAIL FROM:<address>")
	case !announced(parameters):
		s.reply("555 5.5.4 unknown parameter")
	default:
		if s.relay(s.guard.mail(sender)) {
			return
		}
		s.mail = true
		s.reply("250 2.1.0 sender ok")
	}
}

func (s *standIn) to(arg string) {
	address, parameters, ok := path(arg, "TO:")
	mailbox, _, _ := strings.Cut(address, "@")
	switch {
	case !s.mail:
		s.reply("503 5.5.1 say MAIL first")
	case !ok || mailbox == "":
		s.reply("501 5.5.4 write RCPT TO:<address>")
	case parameters != "":
		s.reply("555 5.5.4 unknown parameter")
	case !slices.Contains(mailboxes, strings.ToLower(mailbox)):
		const unknown = "550 5.1.1 user unknown"
		reply := s.guard.rcpt(address, unknown)
		s.reply(unknown) // whatever the guard says, as sendmail does
		s.obey(reply)
	case s.rcpts == recipients:
		s.reply("452 4.5.3 too many recipients")
	default:
		if s.relay(s.guard.rcpt(address, "")) {
			return
		}
		s.rcpts++
		s.reply("250 2.1.5 recipient ok")
	}
}

// data accepts a message and counts its bytes. Lines may end in a bare LF, as nc(1) sends them. In
// a real MTA that would permit SMTP smuggling, but this one discards all mail.
func (s *standIn) data(arg string) {
	switch {
	case arg != "":
		s.reply("501 5.5.4 DATA takes no argument")
		return
	case s.rcpts == 0:
		s.reply("503 5.5.1 say MAIL and RCPT first")
		return
	}
	s.reply("354 end with a dot on a line of its own")
	size := 0
	for begins := true; ; {
		line, whole, err := s.line()
		if err != nil {
			s.gone = err
			return
		}
		if begins && line[0] == '.' {
			if end := string(line); end == ".\r\n" || end == ".\n" {
				break
			}
			line = line[1:] // dot-stuffing, RFC 5321 §4.5.2
		}
		size = min(size+len(line), messageSize+1)
		begins = whole
	}
	if size > messageSize {
		s.reset()
		s.reply(fmt.Sprintf("552 5.3.4 more than %d bytes", messageSize))
		return
	}
	reply := s.guard.end()
	s.mail, s.rcpts = false, 0
	if s.relay(reply) {
		return
	}
	s.reply(fmt.Sprintf("250 2.0.0 %d bytes discarded", size))
}
