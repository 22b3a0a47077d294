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

// Bounds of the stand-in, in octets and as RFC 5321 names them where it does.
const (
	commandLine = 512     // §4.5.3.1.4, with CRLF
	textLine    = 1000    // §4.5.3.1.6; longer ones are read all the same
	messageSize = 1 << 20 // announced as SIZE (RFC 1870)
	recipients  = 100     // §4.5.3.1.8
	mistakes    = 20      // replies of 4xx and 5xx until it hangs up
	idleTime    = 5 * time.Minute
	sessionTime = 15 * time.Minute
	unreadTime  = time.Minute // for which the client does not read our replies
)

// mailboxes are those of the stand-in, at whatever domain.
var mailboxes = []string{"postmaster", "abuse", "hostmaster", "info"}

// StandIn is the MTA where there is none: it speaks SMTP (RFC 5321) on fds 0 and 1, knows a few mailboxes
// (postmaster, abuse, hostmaster, info) and takes mail for them into nowhere. It returns when the client
// quits or leaves, makes 20 mistakes, is idle for 5 minutes, or has been there for 15.
//
// It asks the guard that listens where the configuration in file says, about what sendmail would ask, and obeys as sendmail
// does. Without a guard, and if file is "", it carries on alone.
func StandIn(file string) {
	guard := guardOf(file)
	defer guard.close()
	converse(stdio{in: 0, out: 1, until: time.Now().Add(sessionTime)}, wrapper.MachineName(), guard)
}

// guardOf opens a session with the guard of a configuration, about the client on fd 0; nil if there is none of them.
func guardOf(file string) *filter {
	if file == "" {
		return nil
	}
	who, err := wrapper.Inspect(0)
	c, _ := config.Load(file, allowlist.All())
	if err != nil || c == nil {
		return nil
	}
	return askGuard(c.GuardListen, who.Client)
}

// converse is one session of the stand-in.
func converse(client io.ReadWriter, host string, guard *filter) {
	s := &standIn{host: host, in: bufio.NewReaderSize(client, textLine), out: client, guard: guard}
	if s.ruled(guard.connect()) {
		return
	}
	s.say("220 " + host + " ESMTP stand-in")
	for s.command() {
	}
}

type standIn struct {
	host  string
	in    *bufio.Reader
	out   io.Writer
	wrong int   // mistakes so far
	gone  error // the client was lost while it was told something, or is to go
	guard *filter

	hello bool // EHLO or HELO was said
	mail  bool // MAIL was
	rcpts int  // recipients of that mail
}

// say sends a reply, which is one line or several.
func (s *standIn) say(lines ...string) {
	if last := lines[len(lines)-1]; last[0] >= '4' {
		s.wrong++
	}
	if _, err := io.WriteString(s.out, strings.Join(lines, "\r\n")+"\r\n"); err != nil {
		s.gone = err
	}
}

// errEnded says that the guard has ended the session.
var errEnded = errors.New("ended by the guard")

// ruled gives the client what the guard has to say, if anything. After a 421 the session is over.
func (s *standIn) ruled(reply string) bool {
	if reply == "" {
		return false
	}
	s.say(reply)
	s.heed(reply)
	return true
}

// heed ends the session if that is what the guard says.
func (s *standIn) heed(reply string) {
	if strings.HasPrefix(reply, "421") {
		s.gone = errEnded
	}
}

// command answers one command, and says whether another may follow.
func (s *standIn) command() bool {
	line, whole, err := s.line()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.say("421 4.4.2 " + s.host + " waited long enough")
		return false
	case err != nil, !whole && !s.skip():
		return false
	case !whole || len(line) > commandLine:
		s.say("500 5.5.6 line too long")
	default:
		verb, arg, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
		if verb = strings.ToUpper(verb); verb == "QUIT" {
			s.say("221 2.0.0 " + s.host + " bye")
			return false
		}
		s.answer(verb, strings.TrimSpace(arg))
	}
	if s.wrong >= mistakes && s.gone == nil {
		s.say("421 4.7.0 " + s.host + " too many errors")
		return false
	}
	return s.gone == nil
}

func (s *standIn) answer(verb, arg string) {
	switch verb {
	case "EHLO", "HELO":
		s.greet(verb, arg)
	case "MAIL":
		s.from(arg)
	case "RCPT":
		s.to(arg)
	case "DATA":
		s.data(arg)
	case "RSET":
		s.forget()
		s.say("250 2.0.0 forgotten")
	case "NOOP":
		s.say("250 2.0.0 nothing done")
	case "VRFY":
		s.say("252 2.5.2 try RCPT")
	default:
		s.say("500 5.5.1 unknown command")
	}
}

// forget drops the mail under way.
func (s *standIn) forget() {
	if s.mail {
		s.guard.abort()
	}
	s.mail, s.rcpts = false, 0
}

func (s *standIn) greet(verb, arg string) {
	if arg == "" {
		s.say("501 5.5.4 name yourself: " + verb + " HOST")
		return
	}
	s.forget()
	if s.ruled(s.guard.helo(arg)) {
		return
	}
	s.hello = true
	if verb == "HELO" {
		s.say("250 " + s.host)
		return
	}
	s.say("250-"+s.host, "250-PIPELINING", "250-8BITMIME", fmt.Sprintf("250-SIZE %d", messageSize), "250 ENHANCEDSTATUSCODES")
}

func (s *standIn) from(arg string) {
	sender, parameters, ok := path(arg, "FROM:")
	switch {
	case !s.hello:
		s.say("503 5.5.1 say EHLO first")
	case s.mail:
		s.say("503 5.5.1 one mail at a time")
	case !ok:
		s.say("501 5.5.4 write MAIL FROM:<address>")
	case !announced(parameters):
		s.say("555 5.5.4 unknown parameter")
	default:
		if s.ruled(s.guard.mail(sender)) {
			return
		}
		s.mail = true
		s.say("250 2.1.0 sender ok")
	}
}

func (s *standIn) to(arg string) {
	address, parameters, ok := path(arg, "TO:")
	mailbox, _, _ := strings.Cut(address, "@")
	switch {
	case !s.mail:
		s.say("503 5.5.1 say MAIL first")
	case !ok || mailbox == "":
		s.say("501 5.5.4 write RCPT TO:<address>")
	case parameters != "":
		s.say("555 5.5.4 unknown parameter")
	case !slices.Contains(mailboxes, strings.ToLower(mailbox)):
		const unknown = "550 5.1.1 user unknown"
		ruling := s.guard.rcpt(address, unknown)
		s.say(unknown) // whatever the guard says: so does sendmail
		s.heed(ruling)
	case s.rcpts == recipients:
		s.say("452 4.5.3 too many recipients")
	default:
		if s.ruled(s.guard.rcpt(address, "")) {
			return
		}
		s.rcpts++
		s.say("250 2.1.5 recipient ok")
	}
}

// path takes `FROM:<address> parameters` apart.
func path(arg, word string) (address, parameters string, ok bool) {
	if len(arg) < len(word) || !strings.EqualFold(arg[:len(word)], word) {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(arg[len(word):], " "), "<")
	if !ok {
		return "", "", false
	}
	address, parameters, ok = strings.Cut(rest, ">")
	return address, strings.TrimSpace(parameters), ok
}

// announced says whether all parameters of a MAIL command are of extensions that EHLO announces.
func announced(parameters string) bool {
	for _, p := range strings.Fields(parameters) {
		name, _, _ := strings.Cut(strings.ToUpper(p), "=")
		if name != "SIZE" && name != "BODY" {
			return false
		}
	}
	return true
}

// data takes a message and counts it. Lines may end in a bare LF, as nc(1) sends them: from a real MTA that would be
// an invitation to smuggle mail, but here it goes nowhere.
func (s *standIn) data(arg string) {
	switch {
	case arg != "":
		s.say("501 5.5.4 DATA takes no argument")
		return
	case s.rcpts == 0:
		s.say("503 5.5.1 say MAIL and RCPT first")
		return
	}
	s.say("354 end with a dot on a line of its own")
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
		s.forget()
		s.say(fmt.Sprintf("552 5.3.4 more than %d bytes", messageSize))
		return
	}
	ruling := s.guard.end()
	s.mail, s.rcpts = false, 0
	if s.ruled(ruling) {
		return
	}
	s.say(fmt.Sprintf("250 2.0.0 %d bytes taken into nowhere", size))
}

// line reads a line with its end, or as much of one as a buffer holds: then it is not whole, and the next call goes on
// with the rest. The bytes are good until then.
func (s *standIn) line() (line []byte, whole bool, err error) {
	line, err = s.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return line, false, nil
	}
	return line, true, err
}

// skip reads the rest of a line that was too long for a buffer; it has no patience with one that is longer
// than any buffer.
func (s *standIn) skip() bool {
	for range 64 {
		if _, whole, err := s.line(); whole {
			return err == nil
		}
	}
	return false
}
