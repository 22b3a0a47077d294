package ledger

import (
	"cmp"
	"slices"
)

// trimEvery is how often all records may be looked at for too many blocks, in ms.
const trimEvery = 1000

// Trim sees to it that no more than so many blocks run (0 = as many as there is room for), and
// returns those that it has ended, also with an error. The oldest end, by when they began: first
// those of wider networks that have more than their share, as in a full ledger; then all others;
// and blocks by hand only when no others are left. Their networks are not forgiven, the next block
// of one is as long as if this one had run to its end.
//
// It is for the process that has begun a block, when no client waits for it. While there cannot be
// so many it costs one short piece of work. Else it looks at all records as Blocks does, at most
// once a second over all processes: in a flood of blocks there may be more for so long, and the
// last of the flood stay until somebody calls Trim again. Blocks that begin while it looks may be
// counted twice until the next look.
func (l *Ledger) Trim(now Moment, most int) (dropped []BlockedNetwork, err error) {
	look, begun := false, uint64(0)
	err = l.Do(now, func(t *Tx) { look, begun = t.trimDue(most) })
	if err != nil || !look {
		return nil, err
	}
	r, err := l.reading(now)
	if err != nil {
		return nil, err
	}
	var blocks []begunBlock
	err = r.records(func(i int, c *client) {
		if c.blockLeft(r.now) > 0 {
			blocks = append(blocks, begunBlock{c.blockedAt, i, wide(&c.addr), c.marks&byHand != 0})
		}
	})
	if err != nil {
		return nil, err
	}
	excess := tooMany(blocks, most)
	err = inParts(l, now, excess, func(t *Tx, b begunBlock) {
		if is := t.l.record(b.record).block(t.now); t.drop(b) {
			dropped = append(dropped, is)
		}
	})
	if err != nil {
		return dropped, err
	}
	return dropped, l.Do(now, func(t *Tx) { t.trimmed(len(blocks)-len(excess), begun) })
}

// begunBlock is a block as Trim orders them.
type begunBlock struct {
	at     int64
	record int
	wide   uint64
	byHand bool
}

func (a begunBlock) compare(b begunBlock) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.record, b.record))
}

// tooMany are the blocks that have to end if so many may run, in the order in which they do. It
// sorts the blocks.
func tooMany(blocks []begunBlock, most int) (end []begunBlock) {
	excess := len(blocks) - most
	if excess <= 0 {
		return nil
	}
	slices.SortFunc(blocks, begunBlock.compare)
	var byHand, others []begunBlock
	crowded := make(crowds)
	for _, b := range blocks {
		if !b.byHand {
			crowded.add(b, 1)
		}
	}
	for _, b := range blocks {
		switch {
		case b.byHand:
			byHand = append(byHand, b)
		case len(end) < excess && crowded.hold(b, most):
			crowded.add(b, -1)
			end = append(end, b)
		default:
			others = append(others, b)
		}
	}
	return append(end, slices.Concat(others, byHand)[:excess-len(end)]...)
}

// crowds are how many blocks there are in each wider network.
type crowds map[uint64]int

// within is the block's wider network of that level.
func (b begunBlock) within(level int) uint64 {
	return uint64(level)<<60 | b.wide>>levels[level].shift
}

func (all crowds) add(b begunBlock, n int) {
	for i := range levels {
		all[b.within(i)] += n
	}
}

// hold says whether a wider network of the block has more than its share of so many.
func (all crowds) hold(b begunBlock, most int) bool {
	for i, level := range levels {
		if all[b.within(i)] > max(most*level.share/shares, 1) {
			return true
		}
	}
	return false
}

// trimDue says whether it is time to look for more blocks than so many, and which was the last to
// have begun. Blocks that begin during the look come on top of those that it counts.
func (t *Tx) trimDue(most int) (due bool, begun uint64) {
	r := t.l.ring
	wait := r.trimAt - t.now
	if most <= 0 || r.bound() <= uint64(most) || wait > 0 && wait <= trimEvery {
		return false, 0
	}
	t.l.save(ringAt, ringHead)
	r.trimAt = t.now + trimEvery
	return true, r.begun.Load()
}

// bound is how many blocks there are at most: those that somebody has counted, and those begun
// since. The end of one that expires, is ended or loses its place makes no difference, and need not
// be watched for.
func (r *ring) bound() uint64 {
	const many = 1 << 62 // whatever the file says, the sum is one
	return min(r.counted, many) + min(r.begun.Load()-r.countedAt, many)
}

// drop ends the block, unless it is over, or another, by now, or has been set by hand since.
func (t *Tx) drop(b begunBlock) bool {
	c := t.l.record(b.record)
	if !c.inUse() || c.blockedAt != b.at || c.blockLeft(t.now) == 0 || c.marks&byHand != 0 && !b.byHand {
		return false
	}
	t.l.change(b.record).blockTill = t.now
	return true
}

// trimmed notes that so many blocks ran, of those that had begun then.
func (t *Tx) trimmed(ran int, begun uint64) {
	t.l.save(ringAt, ringHead)
	t.l.ring.counted, t.l.ring.countedAt = uint64(ran), begun
}
