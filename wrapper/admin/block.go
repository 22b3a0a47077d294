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
	"sendwrap/wrapper/decide"
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
	force := flags.Bool("force", false, "")
	auto := flags.Bool("auto", false, "")
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
	if own := enforce.Own(n); own != "" && !*force {
		const cure = "write block -force to block it all the same"
		fmt.Fprintf(c.stderr, "sendwrap block: %v is not blocked: %s; %s\n", n, own, cure)
		return errSaid
	}
	set := (*ledger.Tx).BlockByHand
	if *auto {
		set = (*ledger.Tx).BlockForProgram
	}
	b := enforce.Block{Network: n, Reason: enforce.Word(c.reason(2))}
	err = door.Ledger.Do(ledger.Now(), func(t *ledger.Tx) {
		b.For = set(t, n, d, b.Reason, wrapper.Penalty(door.Config))
	})
	if err != nil {
		return err
	}
	if b.For == 0 {
		return errors.New("no room: every record that could make place has a live session or a block by hand")
	}
	fmt.Fprintf(c.stdout, "%v: blocked for %v\n", n, decide.Seconds(b.For))
	c.log(door, maillog.NewLine("BLOCK").Str("network", n.String()).Dur("for", b.For).Str("reason", b.Reason))
	return c.carryOut(door, b, *kill)
}

// reason is the argument that gives one.
func (c *call) reason(at int) string {
	if len(c.args) > at && c.args[at] != "" {
		return c.args[at]
	}
	return byHand
}

// log leaves a line in the mail log: what an administrator does is asked for there later, beside
// what clients have done. On stderr it would only say once more what stdout says.
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
