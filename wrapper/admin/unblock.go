package admin

import (
	"flag"
	"fmt"
	"net/netip"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// unblock ends blocks.
func unblock(c *call) error {
	flags := flag.NewFlagSet("unblock", flag.ContinueOnError)
	auto := flags.Bool("auto", false, "")
	if err := c.parse(flags, 1, 1); err != nil {
		return err
	}
	door, n, err := c.target()
	if err != nil {
		return err
	}
	if *auto {
		return c.unblockAuto(door, n)
	}
	_, _, before, err := door.Explain(n.Addr(), nil)
	if err != nil {
		return err
	}
	ended, err := door.Ledger.Unblock(ledger.Now(), n)
	if err != nil {
		return err
	}
	for _, network := range ended {
		fmt.Fprintf(c.stdout, "%v: unblocked\n", network)
	}
	if len(ended) > 0 {
		c.log(door, maillog.NewLine("UNBLOCK").Str("network", n.String()).Int("freed", len(ended)))
	}
	_, _, facts, err := door.Explain(n.Addr(), nil)
	if err != nil {
		return err
	}
	if !facts.Blocked && len(ended) == 0 {
		fmt.Fprintf(c.stdout, "%v: was not blocked", n) // but a firewall may still have it
		if before.Strikes > 0 {
			fmt.Fprintf(c.stdout, "; %s forgotten", plural(before.Strikes, "strike"))
		}
		fmt.Fprintln(c.stdout)
	}
	if !facts.Blocked || len(ended) > 0 {
		err = c.runAtEnd(door, n)
	}
	if facts.Blocked {
		fmt.Fprintf(c.stderr, "sendwrap unblock: %v is still blocked as part of %v; "+
			"write sendwrap unblock %v\n", n, facts.Network, facts.Network)
		if err == nil {
			err = errReported
		}
	}
	return err
}

// unblockAuto ends a block that a program has begun by block -auto, as if its time were over. Other
// blocks and strikes stay. The exit code is 0 in any case, since the program need not know.
func (c *call) unblockAuto(door *configured, n netip.Prefix) error {
	var own, wider ledger.BlockedNetwork
	var ended, more bool
	err := door.Ledger.Do(ledger.Now(), func(t *ledger.Tx) {
		own, ended = t.UnblockForProgram(n)
		wider, more = t.BlockOf(n.Addr(), n)
	})
	if err != nil {
		return err
	}
	switch {
	case own.Left == 0:
		fmt.Fprintf(c.stdout, "%v: was not blocked\n", n)
	case !ended:
		fmt.Fprintf(c.stdout, "%v: still blocked for %v because of %s; "+
			"only sendwrap unblock %v ends that\n", n, decide.Seconds(own.Left), own.Reason, n)
	default:
		fmt.Fprintf(c.stdout, "%v: unblocked\n", n)
		line := maillog.NewLine("UNBLOCK").Str("network", n.String()).Int("freed", 1)
		c.log(door, line.Str("reason", own.Reason))
		err = c.runAtEnd(door, n)
	}
	if more && wider.Network.Bits() < n.Bits() {
		fmt.Fprintf(c.stdout, "%v: still blocked as part of %v; sendwrap unblock %v ends that\n",
			n, wider.Network, wider.Network)
	}
	return err
}
