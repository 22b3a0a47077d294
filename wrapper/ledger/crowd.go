package ledger

import (
	"encoding/binary"
	"slices"
)

// Crowds
//
// An attacker can rent many adjacent networks, but hardly many that are far apart. So no wide
// network may hold more than its share of the records while others want them. That needs no counter
// for each network. A new record can replace one of a few candidates, which a keyed hash has
// chosen: they are as good as a random sample of the whole file. A wide network with more of them
// than its share is a crowd, and the least important record of the largest crowd is replaced.

// level is a width at which networks crowd.
type level struct {
	shift int // of wide
	share int // how many of [shares] such a network may hold
}

// levels are /48, /32 and /28 of IPv6, the narrowest first: a customer gets a /48, a provider a
// /32, or a /29 on request. For IPv4 all of them are /16.
var levels = [...]level{{0, 2}, {16, 4}, {20, 8}}

// shares make up the whole. A network of any width may hold trustedShare of them in trusted
// clients: a large provider has many adjacent servers, and all of them come back.
const (
	shares       = 2 * ways
	trustedShare = shares / 4
)

// wide tells wide networks apart: shifted right for a level, it is the same for all addresses of
// one network. For IPv6 it is the first 48 bits. For IPv4 it is the first 16, which no level shifts
// out; so it is for 64:ff9b::/96, which contains all of IPv4 (RFC 6052).
func wide(addr *[16]byte) uint64 {
	first, next := binary.BigEndian.Uint64(addr[:]), binary.BigEndian.Uint32(addr[8:])
	if first == 0 && next == 0xffff || first == 0x64_ff9b<<32 && next == 0 {
		return 1<<48 | uint64(binary.BigEndian.Uint16(addr[12:]))<<32
	}
	return first >> 16
}

// candidate is a record that may be replaced by the new one, or the new one itself.
type candidate struct {
	record int // -1 = the new one
	wide   uint64
	importance
}

// leastOfCrowds is leastImportant where something is lost.
func (t *Tx) leastOfCrowds(k key, buckets [2]int, as importance) int {
	var array [shares + 1]candidate
	all := array[:0]
	for n, b := range buckets {
		if n > 0 && b == buckets[0] {
			break
		}
		for i := b * ways; i < (b+1)*ways; i++ {
			c := t.l.record(i)
			all = append(all, candidate{i, wide(&c.addr), t.importance(c)})
		}
	}
	all = append(all, candidate{-1, wide(&k.addr), as})
	countCrowds(all)
	first := 0
	for i := range all {
		if all[i].less(all[first].importance) {
			first = i
		}
	}
	return all[first].record
}

// countCrowds notes of each candidate by how many records its wide networks exceed their share. A
// block by hand is never replaced because of a crowd, so it does not count; a live session does.
func countCrowds(all []candidate) {
	if !mayCrowd(all) {
		return
	}
	const indexBits = 8
	var array [shares + 1]uint64
	order := array[:0]
	for i := range all {
		if c := &all[i]; c.record < 0 || c.rank != blockedByHand {
			order = append(order, c.wide<<indexBits|uint64(i))
		}
	}
	slices.Sort(order)
	for _, level := range levels {
		for first, end := 0, 0; first < len(order); first = end {
			for end = first + 1; end < len(order) &&
				level.same(order[first]>>indexBits, order[end]>>indexBits); {
				end++
			}
			for _, at := range order[first:end] {
				c := &all[at&(1<<indexBits-1)]
				c.crowd = max(c.crowd, end-first-level.shareOf(c.rank))
			}
		}
	}
}

// mayCrowd says whether there can be a crowd at all. Usually there is none, and this check costs a
// tenth of the sorting. Networks that share a cell by chance do no harm.
func mayCrowd(all []candidate) bool {
	const cells, odd = 256, 0x9e3779b97f4a7c15
	var held [cells]uint8
	widest, most := levels[len(levels)-1].shift, uint8(0)
	for i := range all {
		cell := &held[all[i].wide>>widest*odd>>56]
		*cell++
		most = max(most, *cell)
	}
	return int(most) > levels[0].share
}

// same says whether both are in one network of that level.
func (l level) same(a, b uint64) bool { return (a^b)>>l.shift == 0 }

// shareOf is the share for records of that rank.
func (l level) shareOf(rank int) int {
	switch {
	case rank < trusted:
		return l.share
	case rank == trusted:
		return trustedShare
	}
	return shares + 1 // never too much
}
