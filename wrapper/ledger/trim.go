package ledger

import (
	"cmp"
	"slices"
)

// trimEvery is how often Trim may look at all records, in ms.
const trimEvery = 1000

// Trim ends the oldest blocks if more than most are in force (0 = no limit but the ledger's size),
// and returns those that it has ended, also with an error. First it ends blocks of wide networks
// that have more than their share, as in a full ledger; then all others; and those set by hand only
// when no others are left. Within each group the block that began first goes first. The networks
// are not forgiven: their next block is as long as if this one had run to its end.
//
// It is for the process that has begun a block, when no client waits for it. While there cannot be
// too many blocks it is one short operation. Otherwise it reads all records as Blocks does, at most
// once a second over all processes: in a flood there may be more blocks for that long, and the last
// ones stay until the next Trim. Blocks that begin meanwhile may be counted twice until then.
func (l *Ledger) Trim(now Moment, most int) (dropped []BlockedNetwork, err error) {
	due, last := false, uint64(0)
	err = l.Do(now, func(t *Tx) { due, last = t.claimTrim(most) })
	if err != nil || !due {
		return nil, err
	}
	r, err := l.newReader(now)
	if err != nil {
		return nil, err
	}
	var blocks []runningBlock
	err = r.records(func(i int, c *client) {
		if c.blockLeft(r.now) > 0 {
			manual := c.marks&byHand != 0
			blocks = append(blocks, runningBlock{c.blockedAt, i, wide(&c.addr), manual})
		}
	})
	if err != nil {
		return nil, err
	}
	excess := blocksToEnd(blocks, most)
	err = inParts(l, now, excess, func(t *Tx, b runningBlock) {
		if ended := t.l.blockOf(t.l.record(b.record), t.now); t.endBlock(b) {
			dropped = append(dropped, ended)
		}
	})
	if err != nil {
		return dropped, err
	}
	return dropped, l.Do(now, func(t *Tx) { t.noteTrim(len(blocks)-len(excess), last) })
}

// runningBlock is a block as Trim orders them.
type runningBlock struct {
	at     int64
	record int
	wide   uint64
	byHand bool
}

func (a runningBlock) compare(b runningBlock) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.record, b.record))
}

// blocksToEnd are the blocks that have to end if only most may run, in the order in which they end.
// It sorts the blocks.
func blocksToEnd(blocks []runningBlock, most int) (end []runningBlock) {
	excess := len(blocks) - most
	if excess <= 0 {
		return nil
	}
	slices.SortFunc(blocks, runningBlock.compare)
	var manual, others []runningBlock
	crowded := make(crowds)
	for _, b := range blocks {
		if !b.byHand {
			crowded.add(b, 1)
		}
	}
	for _, b := range blocks {
		switch {
		case b.byHand:
			manual = append(manual, b)
		case len(end) < excess && crowded.exceed(b, most):
			crowded.add(b, -1)
			end = append(end, b)
		default:
			others = append(others, b)
		}
	}
	return append(end, slices.Concat(others, manual)[:excess-len(end)]...)
}

// crowds are the numbers of blocks in each wide network.
type crowds map[uint64]int

// networkAt is the block's wide network of that level.
func (b runningBlock) networkAt(level int) uint64 {
	return uint64(level)<<60 | b.wide>>levels[level].shift
}

func (all crowds) add(b runningBlock, n int) {
	for i := range levels {
		all[b.networkAt(i)] += n
	}
}

// exceed says whether a wide network of the block has more than its share of most blocks.
func (all crowds) exceed(b runningBlock, most int) bool {
	for i, level := range levels {
		if all[b.networkAt(i)] > max(most*level.share/shares, 1) {
			return true
		}
	}
	return false
}

// claimTrim reports whether the caller is to look for more blocks than most, and the number of the
// last block: those that begin during the look come on top of those that it counts.
func (t *Tx) claimTrim(most int) (due bool, last uint64) {
	r := t.l.ring
	wait := r.trimAt - t.now
	if most <= 0 || r.bound() <= uint64(most) || wait > 0 && wait <= trimEvery {
		return false, 0
	}
	t.l.save(ringAt, ringHead)
	r.trimAt = t.now + trimEvery
	return true, r.last.Load()
}

// bound is how many blocks there can be: those counted by the last Trim, and those begun since. The
// bound stays the same when a block expires, is ended or is replaced, so nothing has to watch for
// that.
func (r *ring) bound() uint64 {
	const many = 1 << 62 // so that the sum does not overflow, whatever is in the file
	return min(r.counted, many) + min(r.last.Load()-r.countedAt, many)
}

// endBlock ends the block, unless it is over, has been replaced, or has been set by hand since.
func (t *Tx) endBlock(b runningBlock) bool {
	c := t.l.record(b.record)
	if !c.inUse() || c.blockedAt != b.at || c.blockLeft(t.now) == 0 ||
		c.marks&byHand != 0 && !b.byHand {
		return false
	}
	t.l.change(b.record).blockTill = t.now
	return true
}

// noteTrim notes how many blocks were in force when block number last was the latest.
func (t *Tx) noteTrim(inForce int, last uint64) {
	t.l.save(ringAt, ringHead)
	t.l.ring.counted, t.l.ring.countedAt = uint64(inForce), last
}
