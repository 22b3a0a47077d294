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
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// blocks lists the blocks that are in force.
func blocks(c *call) error {
	flags := flag.NewFlagSet("blocks", flag.ContinueOnError)
	asNFT := flags.Bool("nft", false, "")
	load := flags.Bool("load", false, "")
	asJSON := flags.Bool("json", false, "")
	if err := c.parse(flags, 0, 0); err != nil {
		return err
	}
	switch {
	case *asNFT && *asJSON:
		return UsageError("-nft and -json cannot be combined")
	case *load && !*asNFT:
		return UsageError("-load needs -nft")
	}
	cfg, _, err := c.config()
	if err != nil {
		return err
	}
	door := &configured{&wrapper.Door{Policy: cfg.Policy()}, cfg}
	if err := c.openExisting(door); err != nil {
		return err
	}
	if !door.Ledger.IsOpen() && *asNFT { // whether there are blocks is not known
		return fmt.Errorf("%s: there is no ledger; the firewall stays as it is", cfg.Ledger.Path)
	}
	listedAt := time.Now()
	all, err := inOrder(door.Ledger.Ledger)
	if err != nil {
		return err
	}
	switch {
	case *load:
		return c.loadNFT(door, all, listedAt)
	case *asNFT:
		_, err := printNFT(c.stdout, cfg, all)
		return err
	case *asJSON:
		return json.NewEncoder(c.stdout).Encode(listed(all, time.Now()))
	case len(all) == 0:
		fmt.Fprintln(c.stdout, "no blocks")
		return nil
	}
	return printBlocks(c.stdout, all, time.Now())
}

// inOrder lists the blocks in force, in the order of comparePrefixes; a nil ledger has none.
func inOrder(l *ledger.Ledger) ([]ledger.BlockedNetwork, error) {
	if l == nil {
		return nil, nil
	}
	all, err := l.Blocks(ledger.Now())
	slices.SortFunc(all, func(a, b ledger.BlockedNetwork) int {
		return comparePrefixes(a.Network, b.Network)
	})
	return all, err
}

// comparePrefixes orders networks by address, a wider one before those within it.
func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// listedBlock is a block as JSON.
type listedBlock struct {
	blockReport
	Since time.Time `json:"since"`
}

func listed(all []ledger.BlockedNetwork, now time.Time) []listedBlock {
	list := make([]listedBlock, 0, len(all))
	for _, b := range all {
		since := now.Add(-b.Age).Truncate(time.Second)
		list = append(list, listedBlock{newBlockReport(b), since})
	}
	return list
}

// printBlocks writes the list as text.
func printBlocks(out io.Writer, all []ledger.BlockedNetwork, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "network\tsince\tleft\ttimes\treason\n")
	for _, b := range all {
		since := now.Add(-b.Age).Format(time.DateTime)
		fmt.Fprintf(w, "%v\t%s\t%v\t%d\t%s\n",
			b.Network, since, decide.Seconds(b.Left), b.Times, because(b.Reason, b.From))
	}
	return w.Flush()
}
