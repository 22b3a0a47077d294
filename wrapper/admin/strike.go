package admin

import (
	"flag"
	"fmt"
	"net/netip"
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// strike counts an offence.
func strike(c *call) error {
	c.text = 2 // a filter may pass what the client has said
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
	why := allowed(door, client)
	if why == "" {
		why = enforce.OwnAddressIn(n)
	}
	if why != "" {
		fmt.Fprintf(c.stderr, "sendwrap strike: %v gets no strike: %s\n", client, why)
		return errReported
	}
	reason := ledger.ReasonWord(c.reason(1))
	var strikes int
	var d time.Duration
	p := wrapper.Penalty(&door.Config.Settings)
	strike := func(t *ledger.Tx) { strikes, d = t.Strike(n, reason, 1, p) }
	if err := door.Ledger.Do(ledger.Now(), strike); err != nil {
		return err
	}
	line := maillog.NewLine("STRIKE").Str("client", "["+client.String()+"]").
		Str("network", n.String()).IntOf("strikes", strikes, p.Strikes)
	if d > 0 {
		line.Dur("left", d)
	}
	c.log(door, line.Str("reason", reason))
	switch {
	case d > 0:
		fmt.Fprintf(c.stdout, "%v: strike %d of %d, blocked for %v\n",
			n, strikes, p.Strikes, decide.Seconds(d))
		return c.carryOut(door, enforce.Block{Network: n, For: d, Reason: reason}, false)
	case p.Strikes == 0:
		fmt.Fprintf(c.stdout, "%v: strike %d; block is off\n", n, strikes)
	default:
		fmt.Fprintf(c.stdout, "%v: strike %d of %d\n", n, strikes, p.Strikes)
	}
	return nil
}

// allowed says in words where the client is allowed; "" if it is not.
func allowed(d *configured, client netip.Addr) string {
	return enforce.Exempt(d.Config, netip.PrefixFrom(client, client.BitLen())).Block
}
