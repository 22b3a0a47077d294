package ledger

import "strings"

// record2 is a record of versions 1 and 2. All else in their files is as it is now, but for bytes
// that were zero.
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
	rate      window[uint16]
	reason    [reasonSize]byte
	bad       window[uint8] // 0 in version 1
	_         [8]byte
}

// byHandThen begins the reason of an older version's block if an administrator gave none. Those
// with another reason cannot be told from what a program has set.
const byHandThen = "admin"

// recordOf is the record as this version has it, whatever the version of the file.
func (l *Ledger) recordOf(i int) client {
	if l.version == version {
		return *l.record(i)
	}
	old := view[record2](l.mem, l.recordAt(i))
	c := client{
		addr: old.addr, bits: old.bits, used: old.used, epoch: old.epoch, sessions: old.sessions, first: old.first,
		seen: old.seen, knownTill: old.knownTill, blockedAt: old.blockedAt, blockTill: old.blockTill, blocks: old.blocks,
		rate: old.rate, reason: old.reason, bad: old.bad,
	}
	if strings.HasPrefix(c.why(), byHandThen) {
		c.marks = byHand
	}
	for n := len(old.strikes) - 1; n >= 0; n-- {
		if at := old.strikes[n]; at > 0 {
			c.strikes.add(at)
		}
	}
	return c
}
