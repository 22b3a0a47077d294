package ledger

import (
	"net/netip"
	"time"
)

// The outbox: what has happened to networks on this machine, for the process that tells others (see
// package share). It is a ring of events. While there is such a process, operations write to it,
// each together with what it does: so an operation that is undone leaves no event.

// OutboxSize is how many events the outbox keeps: the newest.
const OutboxSize = 10_240

// sharedFor is for how long events are kept after the process was last seen.
const sharedFor = 7 * 24 * time.Hour

// OutboxKind says what happened. The numbers keep their meaning as long as files do.
type OutboxKind uint8

const (
	OutboxBlock   OutboxKind = iota + 1 // a block has begun, or its end was changed
	OutboxUnblock                       // it was ended, and what led to it forgotten
	OutboxKnown                         // clients of the network have become known
	OutboxRcpts                         // recipients were rejected, or got a message
)

// OutboxEvent is one event.
type OutboxEvent struct {
	Number  uint64
	Kind    OutboxKind
	Network netip.Prefix
	At      time.Duration // ledger time when it happened
	For     time.Duration // from then on, of a block and a known client
	Rcpts   Rcpts
	Reason  string // of a block
}

// outboxEvent is one in the file. Its number follows from its place.
type outboxEvent struct {
	addr      [16]byte
	reason    [reasonSize]byte
	at, till  int64 // ledger time in ms
	bits      uint8
	kind      OutboxKind
	bad, good uint8
	_         [4]byte
}

// tell puts an event into the outbox, if anybody is to know of it: what came from elsewhere is not
// sent on.
func (t *Tx) tell(k key, e outboxEvent) {
	s := t.state()
	if s.sharedTill <= t.now || t.origin != 0 {
		return
	}
	e.addr, e.bits, e.at = k.addr, k.bits, t.now
	at := t.l.geo.outboxAt() + int(s.lastEvent%OutboxSize)*outboxSize
	t.l.save(at, outboxSize)
	*view[outboxEvent](t.l.mem, at) = e
	s.lastEvent++
}

// tellOfBlock tells of the block of a record.
func (t *Tx) tellOfBlock(k key, c *client) {
	t.tell(k, outboxEvent{kind: OutboxBlock, till: c.blockTill, reason: c.reason})
}

// tellOfRcpts tells of recipients of a network. Those that got a message matter only where others
// are rejected: until then they are not told of one by one, but with the first of those.
func (t *Tx) tellOfRcpts(k key, more, now Rcpts) {
	switch {
	case more.Bad > 0 && now.Bad == more.Bad:
		more.Good = now.Good
	case now.Bad == 0:
		return
	}
	const most = 1<<8 - 1
	t.tell(k, outboxEvent{kind: OutboxRcpts, bad: uint8(min(more.Bad, most)),
		good: uint8(min(more.Good, most))})
}

// Outbox returns the events after that number, the oldest first and at most so many, without the
// lock. lost is how many after that number are gone, because there were more than the outbox keeps.
func (l *Ledger) Outbox(after uint64, most int) (events []OutboxEvent, lost uint64, err error) {
	newest := after
	if !l.withoutLock(func() { newest = l.state.lastEvent }) {
		return nil, 0, ErrLost
	}
	if newest == after {
		return nil, 0, nil
	}
	read := func() {
		events, lost = events[:0], 0
		first, newest := after, l.state.lastEvent
		if newest-after > OutboxSize { // also if another ledger gave the number
			first = newest - min(newest, OutboxSize)
			lost = first - min(first, after)
		}
		for n := first; n != newest && len(events) < most; n++ {
			events = append(events, l.outboxEvent(n).read(n))
		}
	}
	_, err = l.read(readTries, read)
	return events, lost, err
}

// outboxEvent is the event after that many others.
func (l *Ledger) outboxEvent(n uint64) *outboxEvent {
	return view[outboxEvent](l.mem, l.geo.outboxAt()+int(n%OutboxSize)*outboxSize)
}

// read is the event after n others.
func (e *outboxEvent) read(n uint64) OutboxEvent {
	ms := func(n, most int64) time.Duration {
		return time.Duration(max(0, min(n, most))) * time.Millisecond
	}
	bits := min(e.bits, 128)
	return OutboxEvent{
		Number: n + 1, Kind: e.kind, Network: key{e.addr, bits}.network().Masked(),
		At: ms(e.at, maxTime>>1), For: ms(e.till-e.at, MaxBlock.Milliseconds()),
		Rcpts: Rcpts{int(e.bad), int(e.good)}, Reason: wordIn(&e.reason),
	}
}
