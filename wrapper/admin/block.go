package admin

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// The shortest prefixes that block takes; a shorter one is more likely a slip than meant.
const leastV4, leastV6 = 8, 16

// block refuses a network's connections for a while.
func block(c *call) error {
	flags := flag.NewFlagSet("block", flag.ContinueOnError)
	kill := flags.Bool("kill", false, "")
	if err := c.parse(flags, 1, 2); err != nil {
		return err
	}
	var d time.Duration
	if len(c.args) == 2 {
		var err error
		if d, err = config.ParseDuration(c.args[1]); err != nil {
			return usageError(err.Error())
		}
		if d < time.Second || d > ledger.MaxBlock {
			return usageError(fmt.Sprintf("%q is out of range; write 1s to 31d", c.args[1]))
		}
	}
	door, n, err := c.target()
	if err != nil {
		return err
	}
	if d == 0 && door.Config.Block.Strikes == 0 {
		return usageError("block is off in " + c.file + ", which so names no time; write a DURATION")
	}
	if n.Bits() < leastV4 || n.Addr().Is6() && n.Bits() < leastV6 {
		return usageError(fmt.Sprintf("%v is too wide for a block; use a deny line in %s", n, c.file))
	}
	if rule := door.Config.Networks.Match(n.Addr()); rule.Access == allowlist.Allow {
		fmt.Fprintf(c.stderr, "note: %v is allowed at %v, and blocks do not hold against that\n", rule.Network, rule.Source)
	}
	var live []ledger.LiveSession
	err = door.Ledger.Do(ledger.Now(), func(t *ledger.Tx) {
		d = t.Block(n, d, byHand, wrapper.Penalty(door.Config))
		if *kill {
			live = t.Sessions()
		}
	})
	if err != nil {
		return err
	}
	if d == 0 {
		return errors.New("no room: every record that could make place has a live session")
	}
	fmt.Fprintf(c.stdout, "%v: blocked for %v\n", n, wrapper.Seconds(d))
	line := maillog.NewLine("BLOCK").Str("network", n.String()).Dur("for", d)
	if *kill {
		var ended int
		ended, err = c.end(n, live)
		line.Int("ended", ended)
	}
	c.log(door, line.Str("reason", byHand))
	return err
}

// byHand is the reason of a block or strike for which none was given.
const byHand = "administrator"

// log leaves a line in the mail log: what an administrator does is asked for there later, beside what clients have done. On
// stderr it would only say once more what stdout says.
func (c *call) log(door *wrapper.Door, line *maillog.Line) {
	if door.Config.Log != config.Syslog {
		return
	}
	text := line.Str("by", fmt.Sprintf("uid:%d", os.Getuid())).String()
	_ = maillog.Syslog(c.syslog).Write(maillog.Info, text) // it is done, whether or not it is written down
}

// end sends SIGTERM to the processes of the network's sessions; sendmail ends a session at
// once at that. A process that holds other clients too is left alone: it finds
// the block itself.
func (c *call) end(n netip.Prefix, live []ledger.LiveSession) (ended int, failed error) {
	waiting := 0
	for _, s := range live {
		if !n.Contains(s.Client.Addr()) {
			continue
		}
		if s.Process.Shared {
			waiting++
			continue
		}
		switch err := s.Process.Signal(unix.SIGTERM); err {
		case nil:
			ended++
		case unix.ESRCH: // it ended between our look and our signal
		default:
			failed = errors.Join(failed, fmt.Errorf("process %d of %v: %w", s.Process.PID, s.Client, err))
		}
	}
	fmt.Fprintf(c.stdout, "%v: %s ended\n", n, plural(ended, "session"))
	if waiting > 0 {
		fmt.Fprintf(c.stdout, "%v: %s in the room will be refused at the end of the delay\n", n, plural(waiting, "client"))
	}
	return ended, failed
}

// unblock ends blocks.
func unblock(c *call) error {
	if err := c.parse(flag.NewFlagSet("unblock", flag.ContinueOnError), 1, 1); err != nil {
		return err
	}
	door, n, err := c.target()
	if err != nil {
		return err
	}
	freed, err := door.Ledger.Unblock(ledger.Now(), n)
	if err != nil {
		return err
	}
	for _, f := range freed {
		fmt.Fprintf(c.stdout, "%v: unblocked\n", f)
	}
	if len(freed) > 0 {
		c.log(door, maillog.NewLine("UNBLOCK").Str("network", n.String()).Int("freed", len(freed)))
	}
	_, _, facts, err := door.Explain(n.Addr())
	switch {
	case err != nil:
		return err
	case facts.Blocked:
		fmt.Fprintf(c.stdout, "%v: still blocked as part of %v; unblock that\n", n, facts.Network)
	case len(freed) == 0:
		fmt.Fprintf(c.stdout, "%v: was not blocked\n", n)
	}
	return nil
}

// strike counts an offence.
func strike(c *call) error {
	if err := c.parse(flag.NewFlagSet("strike", flag.ContinueOnError), 1, 2); err != nil {
		return err
	}
	client, err := address(c.args[0])
	if err != nil {
		return err
	}
	reason := byHand
	if len(c.args) == 2 && c.args[1] != "" {
		reason = c.args[1]
	}
	door, n, err := c.target()
	if err != nil {
		return err
	}
	if rule := door.Config.Networks.Match(client); rule.Access == allowlist.Allow {
		fmt.Fprintf(c.stdout, "%v: allowed at %v, not struck\n", client, rule.Source)
		return nil
	}
	var strikes int
	var d time.Duration
	p := wrapper.Penalty(door.Config)
	if err := door.Ledger.Do(ledger.Now(), func(t *ledger.Tx) { strikes, d = t.Strike(n, reason, p) }); err != nil {
		return err
	}
	line := maillog.NewLine("STRIKE").Str("client", "["+client.String()+"]").Str("network", n.String()).IntOf("strikes", strikes, p.Strikes)
	if d > 0 {
		line.Dur("left", d)
	}
	c.log(door, line.Str("reason", asWord(reason)))
	switch {
	case d > 0:
		fmt.Fprintf(c.stdout, "%v: strike %d of %d, blocked for %v\n", n, strikes, p.Strikes, wrapper.Seconds(d))
	case p.Strikes == 0:
		fmt.Fprintf(c.stdout, "%v: strike %d; block is off\n", n, strikes)
	default:
		fmt.Fprintf(c.stdout, "%v: strike %d of %d\n", n, strikes, p.Strikes)
	}
	return nil
}

// longestReason is how much of a reason the ledger keeps.
const longestReason = 32

// asWord is the reason as the ledger keeps it, and as the line says it of whoever is blocked for it.
func asWord(reason string) string {
	word := []byte(reason[:min(len(reason), longestReason)])
	for i, b := range word {
		if b <= ' ' || b >= 0x7f {
			word[i] = '_'
		}
	}
	return string(word)
}

// target is the network that the first argument names, and the ledger to write it to.
func (c *call) target() (*wrapper.Door, netip.Prefix, error) {
	cfg, _, err := c.config()
	if err != nil {
		return nil, netip.Prefix{}, err
	}
	door := &wrapper.Door{Config: cfg}
	n, err := network(door, c.args[0])
	if err != nil {
		return nil, n, err
	}
	return door, n, c.openLedger(door)
}
