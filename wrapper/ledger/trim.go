package ledger

import (
	"cmp"
	"slices"
)

// trimEvery is how often all records may be looked at for too many blocks, in ms.
const trimEvery = 1000

// Trim sees to it that no more than so many blocks run (0 = as many as there is room for): it ends the oldest, by when they
// began, and returns those that it has ended, also with an error. Their networks are not forgiven, the next
// block of one is as long as if this one had run to its end.
//
// It is for whoever has begun a block, when no client waits for it. While there cannot be so many it costs one
// short piece of work. Else it looks at all records as Blocks does, at most once a second over all processes: in a
// flood of blocks there may be more for so long, and the last of the flood stay until somebody
// calls Trim again. Blocks that begin while it looks may be counted twice until the next look.
func (l *Ledger) Trim(now Moment, most int) (dropped []BlockedNetwork, err error) {
	look, begun := false, uint64(0)
	err = l.Do(now, func(t *Tx) { look, begun = t.trimDue(most) })
	if err != nil || !look {
		return nil, err
	}
	var blocks []begunBlock
	err = l.eachRecord(now, func(t *Tx, i int) {
		if c := t.l.record(i); c.blockLeft(t.now) > 0 {
			blocks = append(blocks, begunBlock{c.blockedAt, i})
		}
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(blocks, begunBlock.compare)
	excess := blocks[:max(0, len(blocks)-most)]
	const atOnce = 64
	for some := range slices.Chunk(excess, atOnce) {
		err := l.Do(now, func(t *Tx) {
			for _, b := range some {
				if is := t.l.record(b.record).block(t.now); t.drop(b) {
					dropped = append(dropped, is)
					t.begin()
				}
			}
		})
		if err != nil {
			return dropped, err
		}
	}
	return dropped, l.Do(now, func(t *Tx) { t.trimmed(len(blocks)-len(excess), begun) })
}

// begunBlock is a block as Trim orders them.
type begunBlock struct {
	at     int64
	record int
}

func (a begunBlock) compare(b begunBlock) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.record, b.record))
}

// trimDue says whether it is time to look for more blocks than so many, and to the one who then looks which was the
// last to have begun. What begins while he looks comes on top of what he counts.
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

// bound is how many blocks there are at most: those that somebody has counted, and those begun since. The end of one
// that expires, is ended or loses its place makes no difference, so that nobody has to watch for it.
func (r *ring) bound() uint64 {
	const many = 1 << 62 // whatever the file says, the sum is one
	return min(r.counted, many) + min(r.begun.Load()-r.countedAt, many)
}

// drop ends the block, unless it is over, or another, by now.
func (t *Tx) drop(b begunBlock) bool {
	c := t.l.record(b.record)
	if !c.inUse() || c.blockedAt != b.at || c.blockLeft(t.now) == 0 {
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
