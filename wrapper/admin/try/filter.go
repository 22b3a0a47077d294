package try

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-milter"

	"sendwrap/wrapper/config"
)

// The patience of the stand-in with a guard: as T=S:5s;R:10s, sendmail's.
const (
	sendTime = 5 * time.Second
	replTime = 10 * time.Second
)

// filter asks a guard about one session, as an MTA does. A nil filter asks nobody, nor does one that has met an error:
// then the session goes on without (sendmail's F=).
//
// Its methods return what the client is to be told instead of the MTA's own reply; "" is nothing else.
type filter struct {
	who    netip.AddrPort // the client
	guard  *milter.ClientSession
	conn   net.Conn // the guard's end of it, which go-milter does not close when it meets an error
	spared bool     // the guard does not want to see more of this message
	mails  int
}

// askGuard opens a session with the guard; nil if there is none.
func askGuard(at config.Listen, who netip.AddrPort) *filter {
	f := &filter{who: who}
	client := milter.NewClientWithOptions(at.Network, at.Address, milter.ClientOptions{
		Dialer: f, ReadTimeout: replTime, WriteTimeout: sendTime,
		ActionMask:   milter.OptSetSymList,
		ProtocolMask: milter.OptNoBody | milter.OptNoHeaders | milter.OptNoEOH | milter.OptNoUnknown | milter.OptNoData | milter.OptRcptRej | milter.OptNoHeloReply,
	})
	guard, err := client.Session()
	if err != nil {
		f.drop()
		return nil
	}
	f.guard = guard
	return f
}

// Dial is for go-milter.
func (f *filter) Dial(network, address string) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, sendTime)
	if err == nil {
		f.conn = &versioned{Conn: conn}
		return f.conn, nil
	}
	return nil, err
}

// versioned is a connection on which the other side says that it speaks version 6 of the protocol. go-milter's server says 2,
// whatever it speaks, and its client then refuses what came with 6: to be told of rejected recipients.
type versioned struct {
	net.Conn
	seen int // octets
}

const (
	versionAt  = 4 + 1 + 3 // behind length, command, and the octets of the version that are 0
	theVersion = 6
)

func (v *versioned) Read(b []byte) (int, error) {
	n, err := v.Conn.Read(b)
	if i := versionAt - v.seen; i >= 0 && i < n {
		b[i] = theVersion
	}
	v.seen += n
	return n, err
}

// drop ends it; from now on nobody is asked.
func (f *filter) drop() {
	f.guard = nil
	if f.conn != nil {
		_ = f.conn.Close()
	}
}

// asks says whether there is anybody to ask.
func (f *filter) asks() bool { return f != nil && f.guard != nil && !f.spared }

// connect tells who the client is.
func (f *filter) connect() string {
	if !f.asks() {
		return ""
	}
	family := milter.FamilyInet
	if f.who.Addr().Is6() {
		family = milter.FamilyInet6
	}
	address, port := f.who.Addr().String(), f.who.Port()
	name := "[" + address + "]"
	err := f.guard.Macros(milter.CodeConn, "_", name, "{client_addr}", address, "{client_port}", strconv.Itoa(int(port)))
	return f.ruling(err, func() (*milter.Action, error) { return f.guard.Conn(name, family, port, address) })
}

func (f *filter) helo(name string) string {
	if !f.asks() {
		return ""
	}
	return f.ruling(nil, func() (*milter.Action, error) { return f.guard.Helo(name) })
}

func (f *filter) mail(sender string) string {
	if !f.asks() {
		return ""
	}
	f.mails++
	id := fmt.Sprintf("try%d-%d", os.Getpid(), f.mails)
	return f.ruling(f.guard.Macros(milter.CodeMail, "i", id), func() (*milter.Action, error) { return f.guard.Mail(sender, nil) })
}

// rcpt tells of a recipient; rejection is the reply that the MTA itself has for it, "" if it takes it.
func (f *filter) rcpt(address, rejection string) string {
	if !f.asks() {
		return ""
	}
	mailer, host, user := "local", "", address
	if rejection != "" {
		_, rest, _ := strings.Cut(rejection, " ")
		status, _, _ := strings.Cut(rest, " ")
		mailer, host, user = "error", status, rejection
	}
	err := f.guard.Macros(milter.CodeRcpt, "{rcpt_mailer}", mailer, "{rcpt_host}", host, "{rcpt_addr}", user)
	return f.ruling(err, func() (*milter.Action, error) { return f.guard.Rcpt(address, nil) })
}

// end tells that a message has come, all of it.
func (f *filter) end() string {
	if !f.asks() {
		return ""
	}
	said := f.ruling(nil, func() (*milter.Action, error) {
		_, action, err := f.guard.End()
		return action, err
	})
	f.forget()
	return said
}

// abort tells that a message came to nothing.
func (f *filter) abort() {
	if f.asks() {
		if err := f.guard.Abort(); err != nil {
			f.drop()
		}
	}
	f.forget()
}

// forget is the end of a message.
func (f *filter) forget() {
	if f != nil {
		f.spared = false
	}
}

// close tells that the session is over.
func (f *filter) close() {
	if f == nil || f.guard == nil {
		return
	}
	_ = f.guard.Close()
	f.drop()
}

// ruling is the guard's answer, in the words of sendmail where it has none of its own. An accepted session or message is not
// asked about any more; neither is one that is to be discarded, which the stand-in does anyway.
func (f *filter) ruling(err error, ask func() (*milter.Action, error)) string {
	var action *milter.Action
	if err == nil {
		action, err = ask()
	}
	if err != nil {
		f.drop()
		return ""
	}
	switch action.Code {
	case milter.ActAccept, milter.ActDiscard:
		if f.spared = true; f.mails == 0 {
			f.close()
		}
	case milter.ActReject:
		return "550 5.7.1 command rejected"
	case milter.ActTempFail:
		return "451 4.7.1 please try again later"
	case milter.ActReplyCode:
		return printable(fmt.Sprintf("%d %s", action.SMTPCode, strings.ReplaceAll(action.SMTPText, "%%", "%")))
	}
	return ""
}

// printable is the first line of a reply, whatever came.
func printable(reply string) string {
	line, _, _ := strings.Cut(reply, "\r")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, line)
}
