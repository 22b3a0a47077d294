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

// A client and a server in a network for documentation (RFC 5737). Nobody has it, so no MTA takes
// a client from there for one of its own machine.
var (
	foreignClient = netip.AddrFrom4([4]byte{192, 0, 2, 77})
	foreignServer = netip.AddrFrom4([4]byte{192, 0, 2, 25})
)

// relayRcpt is a recipient whose mail the MTA must not accept.
const relayRcpt = "relay@try.example"

// longestAnswer is how much of the MTA's text is shown.
const longestAnswer = 200

// relay is the scene in which a client of another network asks the configuration's MTA to relay.
func (s *stage) relay() scene {
	return scene{who: foreignClient.String(), does: "asks for a relay", special: s.askRelay}
}

// askRelay plays it. The connection is between two addresses of a network namespace of its own;
// sendwrap and the MTA run as always. No mail is sent, whatever the answer.
func (s *stage) askRelay(ctx context.Context) (result, error) {
	limited, cancel := context.WithTimeout(ctx, mtaTime+s.patience)
	defer cancel()
	asked := false
	r, err := s.counted(ctx, func() ([]sight, []string) {
		inetd, c, err := s.dialForeign(limited)
		if inetd != nil {
			defer inetd.close()
		}
		if err != nil {
			return []sight{{reply: fmt.Sprintf("not tried: %v", err)}}, nil
		}
		asked = true
		saw := c.askRelay()
		c.close()
		return []sight{saw}, inetd.awaitExits(ctx, 1, s.exitTime)
	})
	if err != nil || !asked {
		return r, err
	}
	answer := r.sights[0]
	r.note = fmt.Sprintf("the MTA's answer for %s: %s",
		relayRcpt, shorten(answer.reply, longestAnswer))
	if answer.err != nil {
		r.problems = append(r.problems, answer.err.Error())
	}
	if strings.HasPrefix(answer.reply, "2") {
		r.problems = append(r.problems, "OPEN RELAY: anybody can send mail anywhere through this "+
			`MTA; see "Which MTA it is" in OPERATIONS.md`)
	}
	want := expectation{verdicts: counts{decide.Allowed: 1}}
	r.problems = append(r.problems, want.judge(nil, r.verdicts)...)
	return r, nil
}

// dialForeign opens a super-server in a network of its own, and connects the client to it. The
// super-server is not nil if it was opened, whatever the error.
func (s *stage) dialForeign(ctx context.Context) (inetd *superServer, c *client, err error) {
	err = inNetwork(foreignServer, func() (err error) {
		argv := []string{s.options.Program, "sendwrap", "-f", s.file}
		at := netip.AddrPortFrom(foreignServer, 0)
		if inetd, err = listen(at.String(), argv, nil); err != nil {
			return err
		}
		c, err = dial(ctx, foreignClient, inetd.address())
		return err
	})
	return inetd, c, err
}

// askRelay asks for a relay. The client sees the answer to that, or to an earlier command that was
// refused.
func (c *client) askRelay() sight {
	s := c.greeting()
	if code(s.reply) == greeted {
		c.requestRelay(&s)
	}
	return s
}

// argue does the same as a denied client with on_denied talk, which sees both replies.
func (c *client) argue() sight {
	s := c.greeting()
	if code(s.reply) == greeted {
		c.requestRelay(&s)
		s.reply = greeted + ", then " + code(s.reply)
	}
	return s
}

// requestRelay goes on after the greeting.
func (c *client) requestRelay(s *sight) {
	for _, command := range []string{
		"EHLO try.example", "MAIL FROM:<>", "RCPT TO:<" + relayRcpt + ">",
	} {
		if s.err = c.send(command); s.err == nil {
			s.reply, s.err = c.reply()
		}
		if s.err != nil || !strings.HasPrefix(s.reply, "2") {
			break
		}
	}
	if s.err == nil {
		_ = c.send("QUIT") // its reply does not matter
	}
}

// inNetwork calls do in a network namespace of its own, in which the /24 of an address belongs to
// this machine. A socket stays in the network in which it was made.
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

// newNetwork moves the thread to a network of its own, with own as the address of its loopback. The
// whole /24 is local then, as 127.0.0.0/8 is.
func newNetwork(own netip.Addr) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		if errors.Is(err, unix.EPERM) {
			return errors.New("needs root")
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
