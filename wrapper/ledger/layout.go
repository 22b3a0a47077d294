package ledger

import "sync/atomic"

const (
	magic   = "sendwrap"
	version = 3
	oldest  = 1 // whose files are carried over; see older.go

	page        = 4096
	stateAt     = page / 2
	ringAt      = stateAt + 256
	undoHead    = 64
	undoAt      = page
	undoSize    = 2 * page
	turnAt      = undoAt + 8 // of undo.turn
	bellAt      = turnAt + 8
	totalsAt    = undoAt + undoSize
	totalsSize  = 2 * page
	bitmapAt    = totalsAt + totalsSize
	slotSize    = 64
	recordSize  = 256
	ways        = page / recordSize // records in a bucket
	minSlots    = 4096
	wordBits    = 64
	reasonSize  = 32
	strikesKept = 8
	ringSize    = 64
	ringHead    = 32 // of the ring, what stands before its members
	memberSize  = 24
	apartAt     = totalsAt + totalsSize - page/4
)

// Bounds of the geometry that Open accepts, in client records.
const (
	MinClients = 1024
	MaxClients = 1 << 24
)

// header begins the file. What stands above checksum never changes once the file
// is made; bootSum covers what a new boot rewrites. Magic and version stand where they are in
// every version to come, so that each program can tell what it must leave alone.
type header struct {
	magic    [8]byte
	version  uint32
	record   uint32 // recordSize, so that a build with another layout is told apart
	buckets  uint32
	slots    uint32
	seed     [2]uint64
	checksum uint64

	boot    Boot   // to which the sessions belong
	offset  int64  // ledger time = CLOCK_BOOTTIME + offset, ms
	epoch   uint32 // counts boots; what a record says of sessions holds for its own epoch only
	_       uint32
	bootSum uint64
}

// state stands in the second half of the first page and changes all the time.
type state struct {
	lastTick int64     // ledger time of the last work, ms
	lastWall int64     // wall clock at the same moment, ms since 1970
	sweepAt  int64     // ledger time from which the next sweep may be, ms
	lengths  [3]uint64 // bit n: a block was once put on a network of n bits (IPv6 form)
	waiting  uint32
	serving  uint32
	clients  uint32 // records in use
	stressed uint32 // 1 while the greet delay is shortened
	soughtAt int64  // ledger time of the last look for idle sessions, ms; 0 in older files
	wanted   uint32 // places since then; see WantPlaces
	_        uint32
}

// apart is counted without the lock, each in one atomic step: what happens to clients while the
// lock is not to be had.
type apart struct {
	verdicts [Verdicts]atomic.Uint64
	open     [causes]atomic.Uint64
	idle     atomic.Uint64    // sessions that were ended for being idle
	told     [8]atomic.Uint64 // what was told last, and when; see Tells
	rooms    [8]atomic.Uint64 // that serve with this file; see Sign
}

// ring tells on which networks blocks have begun lately, and how many there can be at most. It
// stands apart from the state, since it changes only when a block begins or a Trim looks.
type ring struct {
	begun     atomic.Uint64        // running number of the last block that has begun; the first of a file is random
	counted   uint64               // so many blocks ran at most
	countedAt uint64               // when this was the last to have begun
	trimAt    int64                // ledger time from which the next Trim may look, ms
	networks  [ringSize]ringMember // that of number n in place n modulo ringSize
}

// ringMember is a network as key has it.
type ringMember struct {
	addr [16]byte
	bits uint8
	_    [7]byte
}

// undo is the head of the undo log; entries follow it.
type undo struct {
	used atomic.Uint64 // bytes of entries that count; 0 = no work under way
	turn atomic.Uint64 // how often the lock was taken, and in the low half by which process; see holder
	bell bell
	_    [undoHead - 24]byte
}

// saved is the head of one entry of the undo log; the bytes that stood at "at" follow it.
type saved struct {
	at, size uint64
}

// totals are counted since the file was made.
type totals struct {
	verdicts [Verdicts]uint64
	spoke    [delayCells]uint64
	left     [delayCells]uint64
}

// client is what is remembered of one network under which clients are counted, or
// on which a block was put. Times are ledger time in ms, 0 = never.
type client struct {
	addr      [16]byte // IPv4 in its IPv6-mapped form
	bits      uint8    // of that form
	used      uint8    // see usedByClient
	visits    uint8    // hours in which it came while it was known; full stays full
	marks     uint8    // see byHand and those after it
	epoch     uint32   // for which sessions and first hold
	sessions  uint32   // live sessions as far as anybody has noticed
	first     uint32   // its first session: slot number + 1, 0 = none; see usedByWide
	seen      int64
	knownTill int64
	blockedAt int64
	blockTill int64
	blocks    uint32 // blocks so far, each of which doubles the next
	visited   uint32 // the last hour counted in visits, since 1970
	strikes   strikes
	rate      window[uint16]   // arrivals
	reason    [reasonSize]byte // of the last strike or block
	bad, good window[uint8]    // recipients that the MTA rejected, and that had a message
}

// session is one slot: a connection that counts.
type session struct {
	pid     uint32
	state   uint8 // slotFree, slotWaiting, slotServing
	flags   uint8 // see inRoom and inWide
	port    uint16
	start   uint64 // start time of the process, clock ticks since boot; 0 = could not be read
	since   int64
	checked int64 // when pid and start time were last seen to belong together
	addr    [16]byte
	client  uint32 // record number + 1, 0 = none
	next    uint32 // of the same client: slot number + 1, 0 = none
	prev    uint32
	delay   uint32 // ms that a waiting session is to wait; 0 = not at all, or unknown: older builds write 0
}

// What used says of a record, if it is in use.
const (
	usedByClient uint8 = iota + 1
	usedByWide         // it counts the sessions of a wider network: first is how many are served
)

// What a slot says of its session, in flags.
const (
	inRoom uint8 = 1 << iota // its process holds many and is never signalled for one of them
	inWide                   // its wider network counts it, too
)

const (
	slotFree uint8 = iota
	slotWaiting
	slotServing
)

// geometry says where things lie in a file of so many buckets and slots.
type geometry struct {
	buckets, slots uint32
}

func geometryFor(clients int) geometry {
	buckets := (clients + ways - 1) / ways
	slots := max(minSlots, (clients/2+wordBits-1)/wordBits*wordBits)
	return geometry{uint32(buckets), uint32(slots)}
}

func roundToPage(n int) int { return (n + page - 1) / page * page }

func (g geometry) slotsAt() int   { return bitmapAt + roundToPage(int(g.slots)/8) }
func (g geometry) bucketsAt() int { return g.slotsAt() + roundToPage(int(g.slots)*slotSize) }
func (g geometry) size() int      { return g.bucketsAt() + int(g.buckets)*page }

// sane refuses what no build of this program makes, before it is used as a size.
func (g geometry) sane() bool {
	return g.buckets >= MinClients/ways && g.buckets <= MaxClients/ways &&
		g.slots >= minSlots && g.slots <= MaxClients && g.slots%wordBits == 0
}
