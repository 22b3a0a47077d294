package admin

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"text/tabwriter"
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/ledger"
)

// blocks lists the blocks that are in force.
func blocks(c *call) error {
	flags := flag.NewFlagSet("blocks", flag.ContinueOnError)
	asNFT := flags.Bool("nft", false, "")
	asJSON := flags.Bool("json", false, "")
	if err := c.parse(flags, 0, 0); err != nil {
		return err
	}
	if *asNFT && *asJSON {
		return usageError("-nft and -json are two things")
	}
	cfg, _, err := c.config()
	if err != nil {
		return err
	}
	door := &wrapper.Door{Config: cfg}
	if err := c.openExisting(door); err != nil {
		return err
	}
	var all []ledger.BlockedNetwork
	if door.Ledger != nil {
		if all, err = door.Ledger.Blocks(ledger.Now()); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b ledger.BlockedNetwork) int { return comparePrefixes(a.Network, b.Network) })
	switch {
	case *asNFT:
		return printNFT(c.stdout, cfg, all)
	case *asJSON:
		return json.NewEncoder(c.stdout).Encode(listed(all, time.Now()))
	case len(all) == 0:
		fmt.Fprintln(c.stdout, "no blocks")
		return nil
	}
	return printBlocks(c.stdout, all, time.Now())
}

// comparePrefixes orders networks by address, a wider one before those within it.
func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// listedBlock is a block as programs read it.
type listedBlock struct {
	blockReport
	Since time.Time `json:"since"`
}

func listed(all []ledger.BlockedNetwork, now time.Time) []listedBlock {
	list := make([]listedBlock, 0, len(all))
	for _, b := range all {
		since := now.Add(-b.Age).Truncate(time.Second)
		list = append(list, listedBlock{blockReport{b.Network, int(b.Left.Seconds()), b.Reason, b.Times}, since})
	}
	return list
}

// printBlocks writes the list for a person.
func printBlocks(out io.Writer, all []ledger.BlockedNetwork, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "network\tsince\tleft\ttimes\treason\n")
	for _, b := range all {
		fmt.Fprintf(w, "%v\t%s\t%v\t%d\t%s\n", b.Network, now.Add(-b.Age).Format(time.DateTime), wrapper.Seconds(b.Left), b.Times, b.Reason)
	}
	return w.Flush()
}
