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

// printNFT writes a script for `nft -f -`, which makes the sets of packaging/nftables.conf hold
// these blocks, in the order of comparePrefixes, and nothing else, in one step. What on_block would
// not be told of is left out: for each of those it returns a line that says why.
//
// A set holds no network within another: a wider one is split around those within it that last
// longer, as sendwrap-nft does. The comment of a piece says which network it is of.
//
// Its first line is a rule that the kernel refuses, since a packet's type may not be set on its way
// in, unless the last line takes it away again: so a script that has been cut off anywhere is
// refused, and the sets stay as they are.
func printNFT(
	out io.Writer, cfg *config.Config, all []ledger.BlockedNetwork,
) (left []string, err error) {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "add rule inet sendwrap unfinished meta pkttype set host\n")
	fmt.Fprintf(w, "# The blocks of %s at %s, for nft -f -, which wants nftables.conf loaded before.\n",
		cfg.Ledger.Path, time.Now().Format(time.DateTime))
	fmt.Fprintf(w, "flush set inet sendwrap blocked4\nflush set inet sendwrap blocked6\n")
	told := *cfg
	told.OnBlock = []string{"nft"} // whoever asks for this has it put in by hand, if not by on_block
	var blocks []ledger.BlockedNetwork
	for _, b := range all {
		if why := enforce.Spare(&told, b.Network).OnBlock; why != "" {
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

// cover puts an area in for as long as the block lasts that holds it longest, split if others last
// longer in parts of it. Each of the blocks holds the area or lies within it.
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
	fmt.Fprintf(w, "add element inet sendwrap %s { %v timeout %ds%s }\n", set, area, seconds, comment)
}

// halves are the two networks of one bit more that a network consists of.
func halves(n netip.Prefix) [2]netip.Prefix {
	upper := n.Addr().AsSlice()
	upper[n.Bits()/8] |= 0x80 >> (n.Bits() % 8)
	addr, _ := netip.AddrFromSlice(upper)
	return [2]netip.Prefix{netip.PrefixFrom(n.Addr(), n.Bits()+1), netip.PrefixFrom(addr, n.Bits()+1)}
}
