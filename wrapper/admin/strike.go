package admin

import (
	"flag"
	"fmt"
	"net/netip"

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
	o := door.OffenceOf(client, ledger.ReasonWord(c.reason(1)))
	why := allowed(door, client)
	if why == "" {
		why = enforce.OwnAddressIn(n)
	}
	if why != "" {
		fmt.Fprintf(c.stderr, "sendwrap strike: %v gets no strike: %s\n", client, why)
		return errReported
	}
	var struck wrapper.Struck
	strike := func(t *ledger.Tx) { struck = o.Strike(t) }
	if err := door.Ledger.Do(ledger.Now(), strike); err != nil {
		return err
	}
	n = struck.Network
	line := maillog.NewLine("STRIKE").Str("client", "["+client.String()+"]").
		Str("network", n.String()).IntOf("strikes", struck.Strikes, struck.Of)
	if struck.Would.IsValid() {
		line.Str("would_block", struck.Would.String())
	}
	if struck.Block > 0 {
		line.Dur("left", struck.Block)
	}
	c.log(door, line.Str("reason", o.Reason))
	switch {
	case struck.Block > 0:
		fmt.Fprintf(c.stdout, "%v: strike %d of %d, blocked for %v\n",
			n, struck.Strikes, struck.Of, decide.Seconds(struck.Block))
		return c.carryOut(door,
			enforce.Block{Network: n, For: struck.Block, Reason: o.Reason}, false)
	case struck.Of == 0:
		fmt.Fprintf(c.stdout, "%v: strike %d; block is off\n", n, struck.Strikes)
	default:
		fmt.Fprintf(c.stdout, "%v: strike %d of %d\n", n, struck.Strikes, struck.Of)
	}
	return nil
}

// allowed says in words where the client is allowed; "" if it is not.
func allowed(d *configured, client netip.Addr) string {
	return enforce.Exempt(
		d.Config, enforce.Block{Network: netip.PrefixFrom(client, client.BitLen())}).Block
}
