package admin

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// The shortest prefixes that block takes; a shorter one is more likely a slip than meant.
const leastV4, leastV6 = 8, 16

// byHand is the reason of a block or strike for which none was given.
const byHand = "administrator"

// block refuses a network's connections for a while.
func block(c *call) error {
	flags := flag.NewFlagSet("block", flag.ContinueOnError)
	kill := flags.Bool("kill", false, "")
	if err := c.parse(flags, 1, 3); err != nil {
		return err
	}
	var d time.Duration // 0 = as long as the next one for strikes
	if len(c.args) > 1 {
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
	if n.Bits() < leastV4 || n.Addr().Is6() && n.Bits() < leastV6 {
		return usageError(fmt.Sprintf("%v is too wide for a block; use a deny line in %s", n, c.file))
	}
	if spared := enforce.Spare(door.Config, n); spared.Block != "" {
		fmt.Fprintf(c.stderr, "sendwrap block: %v is not blocked: %s; take it from there first\n", n, spared.Block)
		return errSaid
	}
	b := enforce.Block{Network: n, Reason: enforce.Word(c.reason(2))}
	if err := door.Ledger.Do(ledger.Now(), func(t *ledger.Tx) { b.For = t.Block(n, d, b.Reason, wrapper.Penalty(door.Config)) }); err != nil {
		return err
	}
	if b.For == 0 {
		return errors.New("no room: every record that could make place has a live session")
	}
	fmt.Fprintf(c.stdout, "%v: blocked for %v\n", n, wrapper.Seconds(b.For))
	c.log(door, maillog.NewLine("BLOCK").Str("network", n.String()).Dur("for", b.For).Str("reason", b.Reason))
	return c.carryOut(door, b, *kill)
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
		if len(freed) == 0 {
			return nil
		}
	case len(freed) == 0:
		fmt.Fprintf(c.stdout, "%v: was not blocked\n", n)
		freed = []netip.Prefix{n} // but a firewall may yet remember
	}
	return c.tellEnd(door, freed)
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
	door, n, err := c.target()
	if err != nil {
		return err
	}
	if why := allowed(door, client); why != "" {
		fmt.Fprintf(c.stdout, "%v: %s, not struck\n", client, why)
		return nil
	}
	reason := enforce.Word(c.reason(1))
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
	c.log(door, line.Str("reason", reason))
	switch {
	case d > 0:
		fmt.Fprintf(c.stdout, "%v: strike %d of %d, blocked for %v\n", n, strikes, p.Strikes, wrapper.Seconds(d))
		return c.carryOut(door, enforce.Block{Network: n, For: d, Reason: reason}, false)
	case p.Strikes == 0:
		fmt.Fprintf(c.stdout, "%v: strike %d; block is off\n", n, strikes)
	default:
		fmt.Fprintf(c.stdout, "%v: strike %d of %d\n", n, strikes, p.Strikes)
	}
	return nil
}

// allowed says where the client is.
func allowed(d *wrapper.Door, client netip.Addr) string {
	return enforce.Spare(d.Config, netip.PrefixFrom(client, client.BitLen())).Block
}

// reason is the argument that gives one.
func (c *call) reason(at int) string {
	if len(c.args) > at && c.args[at] != "" {
		return c.args[at]
	}
	return byHand
}

// log leaves a line in the mail log: what an administrator does is asked for there later, beside what clients have done. On
// stderr it would only say once more what stdout says.
func (c *call) log(door *wrapper.Door, line *maillog.Line) {
	_ = c.logTo(door).Write(maillog.Info, line.Str("by", fmt.Sprintf("uid:%d", os.Getuid())).String()) // it is done, whether or not it is written down
}

func (c *call) logTo(door *wrapper.Door) maillog.Log {
	if door.Config.Log != config.Syslog {
		return maillog.None()
	}
	return maillog.Syslog(c.syslog)
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
