package ledger

import "strings"

// record2 is a record of versions 1 and 2. The rest of their files is as it is now, except for
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
	rate      window[uint16]
	reason    [reasonSize]byte
	bad       window[uint8] // 0 in version 1
	_         [8]byte
}

// oldManualReason begins the reason of an older version's block if an administrator gave none.
// Blocks by hand with another reason look like those of programs.
const oldManualReason = "admin"

// recordOf is the record in the form of this version, whatever the version of the file.
func (l *Ledger) recordOf(i int) client {
	if l.version == version {
		return *l.record(i)
	}
	old := view[record2](l.mem, l.recordAt(i))
	c := client{
		addr: old.addr, bits: old.bits, used: old.used, epoch: old.epoch,
		sessions: old.sessions, first: old.first, seen: old.seen, knownTill: old.knownTill,
		blockedAt: old.blockedAt, blockTill: old.blockTill, blocks: old.blocks,
		rate: old.rate, reason: old.reason, bad: old.bad,
	}
	if strings.HasPrefix(c.reasonText(), oldManualReason) {
		c.marks = byHand
	}
	for n := len(old.strikes) - 1; n >= 0; n-- {
		if at := old.strikes[n]; at > 0 {
			c.strikes.add(at)
		}
	}
	return c
}
