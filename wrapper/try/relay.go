package try

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/decide"
)

// The network abroad, one of those for documentation (RFC 5737): nobody has it, and so no MTA takes
// a client from there for the machine's own.
var (
	foreigner = netip.AddrFrom4([4]byte{192, 0, 2, 77})
	abroad    = netip.AddrFrom4([4]byte{192, 0, 2, 25})
)

// relayed is a recipient that is no business of the MTA's.
const relayed = "relay@try.example"

// longest is how much of an answer is shown.
const longest = 200

// relay is the scene in which a foreigner asks the MTA that the configuration names to pass a mail
// on to somebody else.
func relay() scene {
	return scene{who: foreigner, does: "wants a relay to elsewhere", abroad: true}
}

// askRelay plays it. The foreigner's connection is between two addresses of a network namespace of
// its own; sendwrap and the MTA run where they always do. No mail is sent, whatever the answer.
func (s *stage) askRelay(ctx context.Context, program string) (seen, error) {
	before, err := totals(s.ledger)
	if err != nil {
		return seen{}, err
	}
	patience, cancel := context.WithTimeout(ctx, mtaTime+s.patience)
	defer cancel()
	var inetd *superServer
	var c *client
	err = inNetwork(abroad, func() (err error) {
		argv := []string{program, "sendwrap", "-f", s.file}
		if inetd, err = listen(netip.AddrPortFrom(abroad, 0).String(), argv, nil); err != nil {
			return err
		}
		c, err = dial(patience, foreigner, inetd.address())
		return err
	})
	if inetd != nil {
		defer inetd.close()
	}
	if err != nil {
		return seen{sights: []sight{{reply: fmt.Sprintf("not asked: %v", err)}}}, ctx.Err()
	}
	result := seen{sights: []sight{c.askRelay()}}
	c.close()
	result.wrong = inetd.settle(ctx, 1, s.ending)
	if ctx.Err() != nil {
		return seen{}, ErrInterrupted
	}
	after, err := totals(s.ledger)
	if err != nil {
		return seen{}, err
	}
	result.verdicts = since(before, after)
	answer := result.sights[0]
	if answer.err != nil {
		result.wrong = append(result.wrong, answer.err.Error())
	}
	result.note = fmt.Sprintf("to a mail for %s it says: %s", relayed, cut(answer.reply, longest))
	if strings.HasPrefix(answer.reply, "2") {
		result.wrong = append(result.wrong, "AN OPEN RELAY: anybody can send mail to anywhere by it; "+
			`see "Which MTA it is" in OPERATIONS.md`)
	}
	want := expectation{verdicts: counts{decide.Allowed: 1}}
	result.wrong = append(result.wrong, want.judge(nil, result.verdicts)...)
	return result, nil
}

// askRelay asks for a relay. What the client saw is the answer to that, or to the command before at
// which it was refused already.
func (c *client) askRelay() sight {
	s := c.greeting()
	if code(s.reply) == greeted {
		c.request(&s)
	}
	return s
}

// argue is the same for one that is denied with on_denied talk: it sees both replies.
func (c *client) argue() sight {
	s := c.greeting()
	if code(s.reply) == greeted {
		c.request(&s)
		s.reply = greeted + ", then " + code(s.reply)
	}
	return s
}

// request goes on behind the greeting.
func (c *client) request(s *sight) {
	for _, command := range []string{
		"EHLO try.example", "MAIL FROM:<>", "RCPT TO:<" + relayed + ">",
	} {
		if s.err = c.say(command); s.err == nil {
			s.reply, s.err = c.reply()
		}
		if s.err != nil || !strings.HasPrefix(s.reply, "2") {
			break
		}
	}
	if s.err == nil {
		_ = c.say("QUIT") // what it says to that is of no interest
	}
}

// inNetwork does something in a network namespace of its own, in which the /24 of an address is the
// machine's. A socket stays in the network in which it was made.
func inNetwork(own netip.Addr, do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocks: the thread ends with the goroutine
		err := newNetwork(own)
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// newNetwork takes the thread into a network of its own, with own as the address of its loopback.
// The whole /24 is local then, as 127.0.0.0/8 is.
func newNetwork(own netip.Addr) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		if errors.Is(err, unix.EPERM) {
			return errors.New("wants root")
		}
		return os.NewSyscallError("unshare", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err == nil {
		err = lo.SetInet4Addr(own.AsSlice())
	}
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCSIFADDR, lo)
	}
	if err == nil {
		lo.SetUint16(unix.IFF_UP)
		err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
	}
	return os.NewSyscallError("ioctl", err)
}
