package ledger

import "time"

// MaxOrigin is the longest name of a machine, in bytes.
const MaxOrigin = 32

// maxOrigins is how many other machines there can be. Their numbers fill a byte of a record.
const maxOrigins = 124

// sharing is what the process that shares with other machines keeps in the ledger, so that it may
// be killed at any moment. It is changed under the lock. Times are ledger time in ms; 0 = never.
type sharing struct {
	own       [MaxOrigin]byte // name of this machine
	sent      uint64          // the engine has our events up to this number
	trying    uint64          // those up to this number may have got there with that clock
	clock     int64           // the engine's time less ledger time, in ms
	position  [2]uint64       // in the engine's stream: an id
	heardAt   int64           // the last answer of the engine
	syncedAt  int64           // the last time that all of its state was read
	lost      uint64          // events that the outbox had no room for
	behind    uint64          // ms that what was last read had been in the stream
	refused   uint64          // events that name no machine, or one too many
	connected uint64          // 1 = the engine answers
	instance  uint64          // tells this ledger from that of another machine of the same name
	_         [128]byte
	origins   [maxOrigins]origin // that of number n at n-1
}

// origin is another machine.
type origin struct {
	name    [MaxOrigin]byte
	number  uint64 // of its last event about recipients
	heardAt int64  // its last event; 0 = the place is free
	applied uint64 // events
	refused uint64
}

// Sharing is what the process that shares with other machines has done, as of now.
type Sharing struct {
	On        bool          // such a process was here not long ago
	Name      string        // of this machine
	Connected bool          // when it last looked
	Heard     time.Duration // since the engine's last answer; < 0 = never
	Synced    time.Duration // since all of its state was read; < 0 = never
	Waiting   int           // our events that the engine does not have yet
	Sent      uint64        // number of the last that it has
	Trying    uint64
	Clock     time.Duration // the engine's time less the ledger's
	Position  [2]uint64
	Lag       time.Duration // how long what was last read had been in the stream
	Lost      uint64
	Refused   uint64
	Instance  uint64 // tells this machine from another of the same name
	Origins   []Origin
}

// Origin is another machine.
type Origin struct {
	Name             string
	Heard            time.Duration // since its last event
	Applied, Refused uint64        // its events
}

// Share says that this machine tells others what happens, under that name, and goes on doing so for
// days. The first time, events have numbers that no earlier ledger of this machine has given, and
// the ledger keeps the number that tells it from others.
func (t *Tx) Share(name string, instance uint64) {
	s, h := t.state(), t.changeSharing()
	if s.lastEvent == 0 {
		const perMS = 8 // bits: more than any machine tells
		s.lastEvent = uint64(t.now) << perMS
		h.sent, h.trying, h.instance = s.lastEvent, s.lastEvent, instance
	}
	s.sharedTill = t.now + sharedFor.Milliseconds()
	setWord(&h.own, name)
}

// changeSharing is what the process keeps, without the other machines, to be written to.
func (t *Tx) changeSharing() *sharing {
	t.l.save(t.l.geo.sharingAt(), sharingHead)
	return t.l.sharing()
}

func (l *Ledger) sharing() *sharing { return view[sharing](l.mem, l.geo.sharingAt()) }

// NoteTrying says that events up to that number are about to be sent, with that clock: the engine's
// time less the ledger's.
func (t *Tx) NoteTrying(number uint64, clock time.Duration) {
	h := t.changeSharing()
	h.trying, h.clock = number, clock.Milliseconds()
}

// NoteSent says that the engine has our events up to that number. So many others were lost.
func (t *Tx) NoteSent(number, lost uint64) {
	h := t.changeSharing()
	h.sent, h.trying = number, max(h.trying, number)
	h.lost += lost
}

// NotePosition says up to where the stream has been read, and for how long that had been there.
func (t *Tx) NotePosition(position [2]uint64, lag time.Duration) {
	h := t.changeSharing()
	h.position, h.behind, h.heardAt = position, uint64(max(0, lag.Milliseconds())), t.now
}

// NoteConnected says whether the engine answers now.
func (t *Tx) NoteConnected(ok bool) {
	h := t.changeSharing()
	h.connected = 0
	if ok {
		h.connected, h.heardAt = 1, t.now
	}
}

// NoteSynced says that all of the engine's state was read.
func (t *Tx) NoteSynced() { t.changeSharing().syncedAt = t.now }

// NoteRefused counts a refused event that names no machine, or one too many.
func (t *Tx) NoteRefused() { t.changeSharing().refused++ }

// From says of which machine what follows in this operation comes: it is marked so, and told to
// nobody. With "" it is this machine's own, which others only remind of. It reports false if there
// are too many machines.
func (t *Tx) From(name string) (ok bool) {
	if t.origin = ownReminded; name == "" {
		return true
	}
	var word [MaxOrigin]byte
	setWord(&word, name)
	free := -1
	all := &t.l.sharing().origins
	for i := range all {
		o := &all[i]
		if o.heardAt != 0 && o.name == word {
			t.origin = uint8(i + 1)
			t.changeOrigin().heardAt = t.now
			return true
		}
		// No block of an origin runs for longer than that.
		if free < 0 && (o.heardAt == 0 || t.now-o.heardAt > 2*MaxBlock.Milliseconds()) {
			free = i
		}
	}
	if free < 0 {
		return false
	}
	t.origin = uint8(free + 1)
	*t.changeOrigin() = origin{name: word, heardAt: t.now}
	return true
}

// changeOrigin is the machine that From has named, to be written to.
func (t *Tx) changeOrigin() *origin {
	if t.origin == ownReminded {
		return new(origin)
	}
	at := t.l.geo.sharingAt() + sharingHead + int(t.origin-1)*originSize
	t.l.save(at, originSize)
	return view[origin](t.l.mem, at)
}

// CountOrigin counts an event of the machine that From has named.
func (t *Tx) CountOrigin(applied bool) {
	if o := t.changeOrigin(); applied {
		o.applied++
	} else {
		o.refused++
	}
}

// Now is ledger time.
func (t *Tx) Now() time.Duration { return time.Duration(t.now) * time.Millisecond }

// LastEvent is the number of this machine's latest event.
func (t *Tx) LastEvent() uint64 { return t.state().lastEvent }

// OriginName is the name of the machine with that number in a record; "" = this one.
func (l *Ledger) OriginName(number uint8) (name string) {
	if number == 0 || int(number) > maxOrigins {
		return ""
	}
	l.withoutLock(func() { name = wordIn(&l.sharing().origins[number-1].name) })
	return name
}

// Sharing is what has been shared.
func (l *Ledger) Sharing(now Moment) (s Sharing, err error) {
	if l == nil || l.lost {
		return s, ErrLost
	}
	r := reader{l: l}
	read := func() {
		h, st := l.sharing(), l.state
		r.now = l.timeAt(now)
		s = Sharing{
			On: st.sharedTill > r.now, Name: wordIn(&h.own), Connected: h.connected == 1,
			Heard: r.since(h.heardAt), Synced: r.since(h.syncedAt),
			Waiting: int(min(st.lastEvent-h.sent, OutboxSize)), Sent: h.sent, Trying: h.trying,
			Clock: time.Duration(h.clock) * time.Millisecond, Position: h.position,
			Lag: time.Duration(h.behind) * time.Millisecond, Lost: h.lost, Refused: h.refused,
			Instance: h.instance,
		}
		for i := range h.origins {
			if o := &h.origins[i]; o.heardAt != 0 {
				s.Origins = append(s.Origins, Origin{wordIn(&o.name), r.since(o.heardAt),
					o.applied, o.refused})
			}
		}
	}
	_, err = l.read(readTries, read)
	return s, err
}

// Time is ledger time now. It takes no lock.
func (l *Ledger) Time(now Moment) (at time.Duration, err error) {
	if !l.withoutLock(func() {
		at = time.Duration(l.timeAt(now)) * time.Millisecond
	}) {
		err = ErrLost
	}
	return at, err
}

// since is how long ago that ledger time was; < 0 = never.
func (r *reader) since(at int64) time.Duration {
	if at <= 0 || at > maxTime>>1 {
		return -1
	}
	return time.Duration(max(0, r.now-at)) * time.Millisecond
}
