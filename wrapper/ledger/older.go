package ledger

import (
	"strings"
	"sync/atomic"
)

// withLookups is the first version with lists and lookups. Those before have neither, fewer
// verdicts, and some things in other places.
const withLookups = 4

// withSharing is the first version with an outbox.
const withSharing = 5

// Where these are in versions 1 to 3.
const (
	ring3At   = stateAt + 256
	undo3At   = page
	totals3At = 3 * page
)

// totals3 are the totals of versions 1 to 3.
type totals3 struct {
	verdicts    [16]uint64
	spoke, left [delayCells]uint64
}

// unlocked3 is what these versions change without the lock.
type unlocked3 struct {
	verdicts [16]atomic.Uint64
	failOpen [causes]atomic.Uint64
	idle     atomic.Uint64
}

// copyCounts copies the counts of another ledger, whatever its version.
func (l *Ledger) copyCounts(old *Ledger) {
	if old.version >= withLookups {
		*l.totals, *l.late, *l.past = *old.totals, *old.late, *old.past
		l.unlocked.copyFrom(old.unlocked)
		l.observed.copyFrom(old.observed)
		return
	}
	sums := view[totals3](old.mem, totals3At)
	copy(l.totals.verdicts[:], sums.verdicts[:])
	copy(l.late.spoke[:], sums.spoke[copy(l.totals.spoke[:], sums.spoke[:]):])
	copy(l.late.left[:], sums.left[copy(l.totals.left[:], sums.left[:]):])
	u := view[unlocked3](old.mem, unlockedAt)
	for i := range u.verdicts {
		l.unlocked.verdicts[i].Store(u.verdicts[i].Load())
	}
	for i := range u.failOpen {
		l.unlocked.failOpen[i].Store(u.failOpen[i].Load())
	}
	l.unlocked.idle.Store(u.idle.Load())
}

// record4 is a record of versions 3 and 4.
type record4 struct {
	addr                      [16]byte
	bits, used, visits, marks uint8
	epoch, sessions, first    uint32
	seen, knownTill           int64
	blockedAt, blockTill      int64
	blocks, visited           uint32
	strikes                   strikes
	rate                      window4[uint16]
	reason                    [reasonSize]byte
	bad, good                 window4[uint8]
}

// window4 is a window of versions 1 to 4.
type window4[cell uint8 | uint16] struct {
	newest int64
	per    uint32
	cells  [steps + 1]cell
}

func (w *window4[cell]) window() window[cell] {
	return window[cell]{uint32(uint64(w.newest) % stepNumbers), w.per, w.cells}
}

// record2 is a record of versions 1 and 2. The rest of their files is as in version 3, except for
// bytes that were zero.
type record2 struct {
	addr      [16]byte
	bits      uint8
	used      uint8
	_         [2]byte
	epoch     uint32
	sessions  uint32
	first     uint32
	seen      int64
	knownTill int64
	blockedAt int64
	blockTill int64
	blocks    uint32
	_         uint32
	strikes   [strikesKept]int64 // newest first
	rate      window4[uint16]
	reason    [reasonSize]byte
	bad       window4[uint8] // 0 in version 1
	_         [8]byte
}

// oldManualReason begins the reason of an older version's block if an administrator gave none.
// Blocks by hand with another reason look like those of programs.
const oldManualReason = "admin"

// recordOf is the record in the form of this version, whatever the version of the file.
func (l *Ledger) recordOf(i int) client {
	switch {
	case l.version <= 2:
		return view[record2](l.mem, l.recordAt(i)).client()
	case l.version <= 4:
		return view[record4](l.mem, l.recordAt(i)).client()
	}
	return *l.record(i)
}

func (r *record4) client() client {
	return client{
		addr: r.addr, bits: r.bits, used: r.used, visits: r.visits, marks: r.marks,
		epoch: r.epoch, sessions: r.sessions, first: r.first, seen: r.seen,
		knownTill: r.knownTill, blockedAt: r.blockedAt, blockTill: r.blockTill,
		blocks: r.blocks, visited: r.visited, strikes: r.strikes, rate: r.rate.window(),
		reason: r.reason, bad: r.bad.window(), good: r.good.window(),
	}
}

func (r *record2) client() client {
	c := client{
		addr: r.addr, bits: r.bits, used: r.used, epoch: r.epoch,
		sessions: r.sessions, first: r.first, seen: r.seen, knownTill: r.knownTill,
		blockedAt: r.blockedAt, blockTill: r.blockTill, blocks: r.blocks,
		rate: r.rate.window(), reason: r.reason, bad: r.bad.window(),
	}
	if strings.HasPrefix(c.reasonText(), oldManualReason) {
		c.marks = byHand
	}
	for n := len(r.strikes) - 1; n >= 0; n-- {
		if at := r.strikes[n]; at > 0 {
			c.strikes.add(at)
		}
	}
	return c
}
