package admin

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/firewall"
	"sendwrap/wrapper/ledger"
)

const (
	loadTime = time.Minute // for nft, even with max_entries blocks
	atATime  = 4           // runs of on_block
)

// loadNFT makes the firewall's sets hold these blocks, which were listed at listedAt.
//
// nft undoes what on_block has told the firewall between the list and nft's work. So the blocks are
// listed again afterwards, and on_block runs for the differences.
func (c *call) loadNFT(door *configured, all []ledger.BlockedNetwork, listedAt time.Time) error {
	var script bytes.Buffer
	left, err := printNFT(&script, door.Config, all)
	if err != nil {
		return err
	}
	if _, err := firewall.NFT(loadTime, &script, "-f", "-"); err != nil {
		return fmt.Errorf("%w; load nftables.conf first, as root", err)
	}
	fmt.Fprintf(c.stdout, "%s put into the firewall's sets\n", plural(len(all)-len(left), "block"))
	for _, line := range left {
		fmt.Fprintln(c.stdout, line)
	}
	again := time.Now()
	now, err := inOrder(door.Ledger.Ledger)
	if err != nil {
		return fmt.Errorf("%w; the firewall may lack blocks that began meanwhile; "+
			"run the command again", err)
	}
	return c.runForChanges(door, changes(all, now, again.Sub(listedAt)))
}

// changes are the differences between two lists of blocks, the second younger by past: blocks that
// began or got another end, then blocks that were ended.
func changes(before, now []ledger.BlockedNetwork, past time.Duration) (all []enforce.Block) {
	const same = 2 * time.Second // two ends that differ by less are one
	left := map[netip.Prefix]time.Duration{}
	for _, b := range before {
		left[b.Network] = b.Left - past
	}
	for _, b := range now {
		if before, found := left[b.Network]; !found || (b.Left-before).Abs() > same {
			all = append(all, enforce.Block{
				Network: b.Network, For: b.Left, Reason: b.Reason, ByHand: b.ByHand})
		}
		delete(left, b.Network)
	}
	for _, b := range before {
		if rest, found := left[b.Network]; found && rest > 0 {
			all = append(all, enforce.Block{Network: b.Network, Reason: "unblock"})
		}
	}
	return all
}

// runForChanges runs on_block for each.
func (c *call) runForChanges(door *configured, all []enforce.Block) error {
	program := door.Config.OnBlock
	if len(all) == 0 {
		return nil
	}
	if program == nil {
		fmt.Fprintf(c.stdout, "%s began or ended meanwhile; on_block is off\n",
			plural(len(all), "block"))
		return nil
	}
	e := enforce.Enforcer{Config: door.Config, Log: c.logTo(door)}
	work := make(chan enforce.Block)
	var workers sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	for range min(atATime, len(all)) {
		workers.Go(func() {
			for b := range work {
				if err := e.RunHook(b); err != nil {
					mu.Lock()
					failed = append(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, b := range all {
		work <- b
	}
	close(work)
	workers.Wait()
	if n := len(all) - len(failed); n > 0 {
		fmt.Fprintf(c.stdout, "on_block: %s was run for %s that began or ended meanwhile\n",
			program[0], plural(n, "block"))
	}
	if len(failed) > 1 {
		return fmt.Errorf("%w (and %d more)", failed[0], len(failed)-1)
	}
	return errors.Join(failed...)
}
