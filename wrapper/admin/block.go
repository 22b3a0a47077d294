package admin

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// The shortest prefixes that block takes: a shorter one is more likely a mistake.
const leastV4, leastV6 = 8, 16

// byHand is the reason of a block or strike without one.
const byHand = "administrator"

// block begins a block.
func block(c *call) error {
	flags := flag.NewFlagSet("block", flag.ContinueOnError)
	kill := flags.Bool("kill", false, "")
	force := flags.Bool("force", false, "")
	auto := flags.Bool("auto", false, "")
	if err := c.parse(flags, 1, 1000); err != nil {
		return err
	}
	if len(c.args) > 3 {
		return UsageError(fmt.Sprintf("the reason has several words; put them in quotes: %q",
			strings.Join(c.args[2:], " ")))
	}
	var d time.Duration // 0 = as long as the next one for strikes
	if len(c.args) > 1 {
		var err error
		if d, err = config.ParseDuration(c.args[1]); err != nil {
			return UsageError(err.Error() + "; a reason comes after the time")
		}
		if d < time.Second || d > ledger.MaxBlock {
			return UsageError(fmt.Sprintf("%q is out of range; write 1s to 31d", c.args[1]))
		}
	}
	door, n, err := c.target()
	if err != nil {
		return err
	}
	if n.Bits() < leastV4 || n.Addr().Is6() && n.Bits() < leastV6 {
		return UsageError(fmt.Sprintf("%v is too wide for a block; write a deny line in %s",
			n, c.file))
	}
	if why := enforce.Exempt(door.Config, enforce.Block{Network: n}).Block; why != "" {
		const cure = "remove that allow line first"
		fmt.Fprintf(c.stderr, "sendwrap block: %v is not blocked: %s; %s\n", n, why, cure)
		return errReported
	}
	if own := enforce.OwnAddressIn(n); own != "" && !*force {
		const cure = "write block -force to block it nevertheless"
		fmt.Fprintf(c.stderr, "sendwrap block: %v is not blocked: %s; %s\n", n, own, cure)
		return errReported
	}
	set := (*ledger.Tx).BlockByHand
	if *auto {
		set = (*ledger.Tx).BlockForProgram
	}
	b := enforce.Block{Network: n, Reason: ledger.ReasonWord(c.reason(2)), ByHand: true}
	err = door.Ledger.Do(ledger.Now(), func(t *ledger.Tx) {
		b.For = set(t, n, d, b.Reason, wrapper.Penalty(&door.Config.Settings))
	})
	if err != nil {
		return err
	}
	if b.For == 0 {
		return errors.New("ledger full: " +
			"every replaceable record has a live session or a block by hand")
	}
	fmt.Fprintf(c.stdout, "%v: blocked for %v\n", n, decide.Seconds(b.For))
	line := maillog.NewLine("BLOCK").Str("network", n.String()).Dur("for", b.For)
	c.log(door, line.Str("reason", b.Reason))
	return c.carryOut(door, b, *kill)
}

// reason is argument number at, or the usual one.
func (c *call) reason(at int) string {
	if len(c.args) > at && c.args[at] != "" {
		return c.args[at]
	}
	return byHand
}

// log writes a line to the mail log, in which what an administrator does is found beside what
// clients do. On stderr it would repeat stdout.
func (c *call) log(door *configured, line *maillog.Line) {
	line.Str("by", fmt.Sprintf("uid:%d", os.Getuid()))
	_ = c.logTo(door).Write(maillog.Info, line.String()) // it is done, logged or not
}

func (c *call) logTo(door *configured) maillog.Log {
	if door.Config.Log != policy.Syslog {
		return maillog.None()
	}
	return maillog.Syslog(c.syslog)
}

// target returns the network that the first argument names, and opens the ledger.
func (c *call) target() (*configured, netip.Prefix, error) {
	cfg, _, err := c.config()
	if err != nil {
		return nil, netip.Prefix{}, err
	}
	door := &configured{&wrapper.Door{Policy: cfg.Policy()}, cfg}
	n, err := network(door, c.args[0])
	if err != nil {
		return nil, n, err
	}
	return door, n, c.openLedger(door)
}
