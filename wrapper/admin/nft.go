package admin

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
)

// printNFT writes a script for `nft -f -` that makes the sets of packaging/nftables.conf hold these
// blocks and no others, in one step. The blocks are in the order of comparePrefixes. It leaves out
// networks for which on_block would not run, and returns a line about each that says why.
//
// A set cannot hold a network within another. So a wider network is split around those within it
// whose blocks last longer, as sendwrap-nft does. The comment of a piece names its network.
//
// The first line is a rule that the kernel refuses, since a packet's type must not be set on its
// way in, unless the last line removes it. So a script that was cut off anywhere is refused, and
// the sets stay as they are.
func printNFT(
	out io.Writer, cfg *config.Config, all []ledger.BlockedNetwork,
) (left []string, err error) {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "add rule inet sendwrap unfinished meta pkttype set host\n")
	fmt.Fprintf(w, "# The blocks of %s at %s, for nft -f -. Load nftables.conf first.\n",
		cfg.Ledger.Path, time.Now().Format(time.DateTime))
	fmt.Fprintf(w, "flush set inet sendwrap blocked4\nflush set inet sendwrap blocked6\n")
	withHook := *cfg
	withHook.OnBlock = []string{"nft"} // this script is loaded by hand, even without on_block
	var blocks []ledger.BlockedNetwork
	for _, b := range all {
		block := enforce.Block{Network: b.Network, ByHand: b.ByHand}
		if why := enforce.Exempt(&withHook, block).OnBlock; why != "" {
			left = append(left, fmt.Sprintf("%v is left out: %s", b.Network, why))
			fmt.Fprintf(w, "# %s\n", left[len(left)-1])
			continue
		}
		blocks = append(blocks, b)
	}
	for len(blocks) > 0 {
		n := 1
		for n < len(blocks) && blocks[0].Network.Contains(blocks[n].Network.Addr()) {
			n++
		}
		cover(w, blocks[0].Network, blocks[:n])
		blocks = blocks[n:]
	}
	fmt.Fprintf(w, "flush chain inet sendwrap unfinished\n")
	return left, w.Flush()
}

// cover adds an area for as long as the longest block that holds it, split if others last longer in
// parts of it. Each of the blocks holds the area or lies within it.
func cover(w io.Writer, area netip.Prefix, blocks []ledger.BlockedNetwork) {
	var longest ledger.BlockedNetwork
	for _, b := range blocks {
		if b.Network.Bits() <= area.Bits() && b.Left > longest.Left {
			longest = b
		}
	}
	split := false
	for _, b := range blocks {
		split = split || b.Network.Bits() > area.Bits() && b.Left > longest.Left
	}
	if split {
		for _, half := range halves(area) {
			var some []ledger.BlockedNetwork
			for _, b := range blocks {
				if b.Network.Overlaps(half) {
					some = append(some, b)
				}
			}
			cover(w, half, some)
		}
		return
	}
	if longest.Left == 0 {
		return
	}
	set, comment := "blocked4", ""
	if area.Addr().Is6() {
		set = "blocked6"
	}
	if longest.Network != area {
		comment = fmt.Sprintf(" comment %q", longest.Network)
	}
	seconds := (longest.Left + time.Second - 1) / time.Second
	fmt.Fprintf(w, "add element inet sendwrap %s { %v timeout %ds%s }\n",
		set, area, seconds, comment)
}

// halves are the two networks, one bit longer, of which a network consists.
func halves(n netip.Prefix) [2]netip.Prefix {
	upper := n.Addr().AsSlice()
	upper[n.Bits()/8] |= 0x80 >> (n.Bits() % 8)
	addr, _ := netip.AddrFromSlice(upper)
	bits := n.Bits() + 1
	return [2]netip.Prefix{netip.PrefixFrom(n.Addr(), bits), netip.PrefixFrom(addr, bits)}
}
