package try

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"sendwrap/wrapper/milter"
	"sendwrap/wrapper/policy"
)

// The patience of the stand-in with a guard: as T=S:5s;R:10s, sendmail's.
const (
	sendTime  = 5 * time.Second
	replyTime = 10 * time.Second
)

// filter asks a guard about one session, as an MTA does. A nil filter asks nobody, nor does one
// that has met an error: the session goes on without a guard (sendmail's F=).
//
// Its methods return what the client reads instead of the MTA's own reply; "" means that own reply.
type filter struct {
	client   netip.AddrPort
	guard    *milter.Conn // nil: nobody is asked any more
	agreed   uint32       // the part of the protocol that the guard has asked for
	accepted bool         // the guard does not want to see more of this message
	mails    int
}

// offered is what the stand-in can do of what a guard may ask for.
var offered = milter.Offer{
	Version: milter.Version,
	Actions: milter.SetMacros,
	Protocol: milter.NoBody | milter.NoHeaders | milter.NoEOH | milter.NoUnknown | milter.NoData |
		milter.RcptRej | milter.NoHeloReply,
}

// errAnswer means that a guard has sent no answer that an MTA knows.
var errAnswer = errors.New("is not an answer")

// askGuard opens a session with the guard; nil if there is none.
func askGuard(at policy.Listen, client netip.AddrPort) *filter {
	conn, err := net.DialTimeout(at.Network, at.Address, sendTime)
	if err != nil {
		return nil
	}
	f := &filter{client: client, guard: milter.NewConn(conn, sendTime)}
	if err := f.negotiate(); err != nil {
		f.drop()
		return nil
	}
	return f
}

func (f *filter) negotiate() error {
	if err := f.guard.Send(offered.Packet()); err != nil {
		return err
	}
	answer, err := f.answer()
	if err != nil {
		return err
	}
	if answer[0] != milter.Negotiate {
		return errAnswer
	}
	agreed, err := milter.ReadOffer([]byte(answer[1:]))
	f.agreed = agreed.Protocol
	return err
}

// answer waits for the guard's.
func (f *filter) answer() (milter.Answer, error) {
	for {
		if err := f.guard.Await(replyTime); err != nil {
			return milter.None, err
		}
		letter, data, err := f.guard.Next()
		answer := milter.Answer(append([]byte{letter}, data...))
		if err != nil || answer != milter.Progress {
			return answer, err
		}
	}
}

// drop closes the connection to the guard. Nobody is asked after that.
func (f *filter) drop() {
	if f.guard != nil {
		_ = f.guard.Close()
	}
	f.guard = nil
}

// active reports whether the guard is to be asked.
func (f *filter) active() bool { return f != nil && f.guard != nil && !f.accepted }

// connect says where the client is from.
func (f *filter) connect() string {
	if !f.active() {
		return ""
	}
	addr := f.client.Addr()
	c := milter.Client{Family: milter.IPv4, Port: f.client.Port(), Address: addr.String()}
	if addr.Is6() {
		c.Family = milter.IPv6
	}
	name := "[" + c.Address + "]"
	return f.ask(c.Packet(name), "_", name, "{client_addr}", c.Address,
		"{client_port}", strconv.Itoa(int(c.Port)))
}

func (f *filter) helo(name string) string {
	if !f.active() {
		return ""
	}
	if f.agreed&milter.NoHeloReply != 0 {
		f.send("H" + name + "\x00")
		return ""
	}
	return f.ask("H" + name + "\x00")
}

func (f *filter) mail(sender string) string {
	if !f.active() {
		return ""
	}
	f.mails++
	return f.ask("M<"+sender+">\x00", "i", fmt.Sprintf("try%d-%d", os.Getpid(), f.mails))
}

// rcpt names a recipient; rejection is the MTA's own reply if it rejects it, else "".
func (f *filter) rcpt(address, rejection string) string {
	if !f.active() {
		return ""
	}
	mailer, host, user := "local", "", address
	if rejection != "" {
		_, rest, _ := strings.Cut(rejection, " ")
		status, _, _ := strings.Cut(rest, " ")
		mailer, host, user = "error", status, rejection
	}
	return f.ask("R<"+address+">\x00",
		"{rcpt_mailer}", mailer, "{rcpt_host}", host, "{rcpt_addr}", user)
}

// end says that a message is complete.
func (f *filter) end() (reply string) {
	if f.active() {
		reply = f.ask("E")
	}
	f.reset()
	return reply
}

// abort says that a message will not be completed.
func (f *filter) abort() {
	if f.active() {
		f.send("A")
	}
	f.reset()
}

// reset is the end of a message.
func (f *filter) reset() {
	if f != nil {
		f.accepted = false
	}
}

// close says that the session is over.
func (f *filter) close() {
	if f == nil || f.guard == nil {
		return
	}
	f.send("Q")
	f.drop()
}

// send sends a packet that the guard does not answer.
func (f *filter) send(packet string) {
	if f.guard.Send(packet) != nil {
		f.drop()
	}
}

// ask sends a command, with macros, and returns what the client is to read.
func (f *filter) ask(command string, macros ...string) string {
	if len(macros) > 0 {
		if f.send(milter.Packet(command[0], macros...)); f.guard == nil {
			return ""
		}
	}
	err := f.guard.Send(command)
	var answer milter.Answer
	if err == nil {
		answer, err = f.answer()
	}
	var reply string
	if err == nil {
		reply, err = f.replyFor(answer)
	}
	if err != nil {
		f.drop()
	}
	return reply
}

// replyFor is what the client reads because of an answer, in sendmail's words if the answer has
// none. After Accept, the session or message is not asked about any more; nor after Discard, since
// the stand-in discards all messages.
func (f *filter) replyFor(answer milter.Answer) (reply string, err error) {
	switch answer {
	case milter.Continue:
		return "", nil
	case milter.Accept, milter.Discard:
		if f.accepted = true; f.mails == 0 {
			f.close()
		}
		return "", nil
	case milter.Reject:
		return "550 5.7.1 command rejected", nil
	case milter.TempFail:
		return "451 4.7.1 please try again later", nil
	}
	line, ok := answer.Reply()
	line, _, _ = strings.Cut(line, "\r")
	code, err := strconv.Atoi(line[:min(len(line), 3)])
	if !ok || err != nil || code < 400 || code > 599 {
		return "", errAnswer
	}
	return printable(line), nil
}
