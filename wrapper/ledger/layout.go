package ledger

import "sync/atomic"

const (
	magic   = "sendwrap"
	version = 5
	oldest  = 1 // version that is carried over; see older.go

	page        = 4096
	totalsAt    = 128
	stateAt     = page / 2
	undoHead    = 64
	undoAt      = stateAt + 256
	undoSize    = 2 * page
	holderAt    = undoAt + 8 // of undo.holder
	bellAt      = holderAt + 8
	ringAt      = undoAt + undoSize
	ringRoom    = page/2 - 256
	lateAt      = ringAt + ringRoom
	lateRoom    = 2 * page
	pastAt      = lateAt + 2*8*(delayCells-fineCells)    // behind late
	observedAt  = pastAt + 16 + snapshots*8*(1+Verdicts) // behind past
	unlockedAt  = lateAt + lateRoom - page/4
	bitmapAt    = lateAt + lateRoom
	slotSize    = 64
	recordSize  = 256
	activityAt  = 64                // of a record
	markAt      = recordSize - 4    // likewise: observed
	ways        = page / recordSize // records in a bucket
	minSlots    = 4096
	wordBits    = 64
	reasonSize  = 32
	strikesKept = 8
	ringSize    = 64
	ringHead    = 32 // bytes of the ring before its members
	memberSize  = 24
	listSize    = page / MaxLists
	lookupSize  = 256
	lookupWays  = page / lookupSize // lookups in a bucket
	sharingHead = 256               // bytes before the origins
	originSize  = 64
	sharingSize = 2 * page
	outboxSize  = 72 // of an event
)

// header begins the file. The fields above checksum never change after the file is made; bootSum
// covers the fields that a new boot rewrites. Magic and version stay in the same place in every
// later version, so that each program can tell which files to leave alone.
type header struct {
	magic    [8]byte
	version  uint32
	record   uint16 // recordSize; tells a build with another layout
	beside   uint16 // 1 = it is locked by PATH.lock; see beside.go
	buckets  uint32
	slots    uint32
	seed     [2]uint64
	checksum uint64

	boot    Boot   // of the sessions
	offset  int64  // ledger time = CLOCK_BOOTTIME + offset, ms
	epoch   uint32 // number of the boot; a record's session fields hold for its own epoch only
	_       uint32
	bootSum uint64
}

// state changes all the time. Times are ledger time in ms.
type state struct {
	lastTick   int64     // ledger time of the last operation, ms
	lastWall   int64     // wall clock at the same moment, ms since 1970
	sweepAt    int64     // ledger time of the earliest next sweep, ms
	lengths    [3]uint64 // bit n: a network of n bits (IPv6 form) was blocked at some time
	waiting    uint32
	serving    uint32
	clients    uint32            // records in use
	stressed   uint32            // 1 while the greet delay is shortened
	searchedAt int64             // the last search for idle sessions; 0 in older files
	wanted     uint32            // places since then; see WantPlaces
	fullAt     uint32            // the last search for a width in vain, in s; 0 in older files
	pastDue    int64             // ledger time from which on the totals are kept again; see past.go
	evicted    [evictions]uint64 // records that were replaced while something in them mattered
	unrecorded uint64            // clients for whose network there was no record

	sharedTill int64  // ledger time until which events go to the outbox; 0 in older files
	lastEvent  uint64 // its number

	widths [maxWidths]uint8 // of wide networks that flags name; 0 = none; 0 in older files
	_      [8 - maxWidths]byte
}

// unlocked is changed without the lock, by single atomic operations: some of it while the lock
// cannot be had.
type unlocked struct {
	verdicts [Verdicts]atomic.Uint64
	failOpen [causes]atomic.Uint64
	idle     atomic.Uint64           // sessions that were ended because they were idle
	logged   [8]atomic.Uint64        // the last messages; see ClaimLog
	rooms    [maxRooms]atomic.Uint64 // see RegisterRoom
	guards   [4]atomic.Uint64        // see RegisterGuard; 0 in older files, as what follows
	passed   atomic.Uint64           // sessions of CountPassed
	silent   atomic.Uint64           // those of them without a message
	troubles [troubles]atomic.Uint64
	about    [maxRooms]roomFacts // of the room with the same index
}

// roomFacts are what a room says of itself.
type roomFacts struct {
	configured atomic.Int64     // when it read its configuration, ms since 1970
	build      [2]atomic.Uint64 // its version, as bytes that zeros fill up
}

// past are the totals of late; see past.go. Times are ledger time in ms.
type past struct {
	since     int64 // snapshots are taken since then; 0 = none has been
	countedAt int64 // the totals began at 0 then; 0 = before there was this field
	snapshots [snapshots]snapshot
}

// snapshot is what was counted until a moment.
type snapshot struct {
	at       int64 // a multiple of snapshotEvery
	verdicts [Verdicts]uint64
}

// ring names the networks of the latest blocks, and bounds the number of all blocks. It is apart
// from the state because it changes only when a block begins or Trim looks.
type ring struct {
	last      atomic.Uint64 // number of the latest block; the first of a file is random
	counted   uint64        // upper bound of the blocks in force when last was countedAt
	countedAt uint64
	trimAt    int64                // ledger time of the earliest next Trim, ms
	networks  [ringSize]ringMember // that of block n at n modulo ringSize
}

// ringMember is a network in the form of key.
type ringMember struct {
	addr [16]byte
	bits uint8
	_    [7]byte
}

// undo is the head of the undo log; its entries follow.
type undo struct {
	used   atomic.Uint64 // bytes of valid entries; 0 = no operation is under way
	holder atomic.Uint64 // how often the lock was taken, and in the low half the pid; see pidMask
	bell   bell
	_      [undoHead - 24]byte
}

// undoEntry is the head of one entry of the undo log. The bytes that were at "at" follow it.
type undoEntry struct {
	at, size uint64
}

// totals are counted since the file was made. They are in the first page with all else that most
// operations write to: each page costs a process its own page fault.
type totals struct {
	verdicts    [Verdicts]uint64
	spoke, left [fineCells]uint64
}

// late are the totals of longer delays.
type late struct {
	spoke, left [delayCells - fineCells]uint64
}

// client is what is remembered of one network: one under which clients are counted, or one that was
// blocked. Times are ledger time in ms, 0 = never.
type client struct {
	addr      [16]byte // IPv4 in its IPv6-mapped form
	bits      uint8    // of that form
	used      uint8    // see usedByClient
	visits    uint8    // hours in which it came while it was known; stays at the maximum
	marks     uint8    // byHand and the other marks
	epoch     uint32   // for which sessions and first hold
	sessions  uint32   // live sessions, some of which may have died unnoticed
	first     uint32   // its first session: slot number + 1, 0 = none; see usedByWide
	seen      int64
	knownTill int64
	blockedAt int64
	blockTill int64
	activity  uint64 // changed without the lock, too; see activity.go
	blocks    uint32 // blocks so far, each of which doubles the next
	visited   uint32 // the last hour counted in visits, since 1970
	strikes   strikes
	rate      window[uint16]   // arrivals
	reason    [reasonSize]byte // of the last strike or block
	bad, good window[uint8]    // recipients that the MTA rejected, and that got a message
	observed  uint32           // bit v-1: verdict v refused nobody; 0 in older files
}

// session is one slot: a connection that counts.
type session struct {
	pid     uint32
	state   uint8 // slotFree, slotWaiting, slotServing
	flags   uint8 // inRoom, inWide, and from firstWidth on which of state.widths count it, too
	port    uint16
	start   uint64 // start time of the process, clock ticks since boot; 0 = unknown
	since   int64
	checked int64 // when pid and start time were last known to belong together
	addr    [16]byte
	client  uint32 // record number + 1, 0 = none
	next    uint32 // of the same client: slot number + 1, 0 = none
	prev    uint32
	delay   uint32 // ms that it has to wait, or is served for having waited; 0 = none, or unknown
}

// list is what is known of a list of DNS. Times are ledger time in ms, 0 = never.
type list struct {
	zone                  uint64 // see zoneSum; 0 = there is none
	asked, listed, failed uint64
	testedAt              int64 // the last test has ended
	claimedAt             int64 // the last test has begun
	asideTill             int64
	usedAt                int64
	failures              uint32 // since its last answer
	answers, hits         uint32 // in the window under way
	lastAnswers, lastHits uint32 // in the last full window
	passed                uint8  // 1 = its last test
	missed                uint8  // tests without a result since; older builds write 0, as below
	inRow                 uint8  // addresses that it has listed since the last that it has not
	_                     byte
	why                   [reasonSize]byte
	unheardAt             int64 // since then DNS has answered nothing of what was asked
}

// lookup is what DNS has said about one address, or says who asks.
type lookup struct {
	addr  [16]byte // IPv4 in its IPv6-mapped form
	of    uint64
	till  int64  // ledger time in ms: until then it holds
	pid   uint32 // of who asks
	state LookupState
	size  uint8 // of data
	_     [2]byte
	data  [LookupSize]byte // of who asks: a claim
}

// claim is in the data of a lookup for which a process asks.
type claim struct {
	start uint64 // start time of the process, as in a session
	epoch uint32 // of the boot
	_     uint32
}

// What used says of a record in use.
const (
	usedByClient uint8 = iota + 1
	usedByWide         // it counts a wide network; see wide.go
)

// What flags say of a session.
const (
	inRoom     uint8 = 1 << iota // its process holds many, and is never signalled for one of them
	inWide                       // the network of WideBits around it counts it, too
	firstWidth                   // so does that of the first of state.widths; the others follow

	maxWidths = 6
)

const (
	slotFree uint8 = iota
	slotWaiting
	slotServing
)
