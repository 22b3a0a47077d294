package ledger

import (
	"net/netip"
	"time"
)

// Tx is the ledger while the lock is held; see [Ledger.Do].
type Tx struct {
	l   *Ledger
	now int64 // ledger time, ms
}

func (t *Tx) state() *state { return t.l.state }

// Arrival is a client at the door, and what decides whether it gets in.
type Arrival struct {
	Client  netip.AddrPort // IPv4-mapped addresses unmapped
	Network netip.Prefix   // under which it is counted
	Limits  Limits
	Delay   time.Duration // how long it will be made to wait, for [LiveSession]; what Look tells may decide it
}

// Limits are the numbers against which the caller will hold a [Standing]; 0 = no limit. The
// ledger itself refuses nobody. It must know them to see when a count has
// to be verified: sessions whose process has died count until somebody looks.
type Limits struct {
	Serving int           // MTAs in session at once
	Waiting int           // clients in the greet delay at once
	Conns   int           // live sessions of the network
	Rate    int           // arrivals of the network in any
	Per     time.Duration // so long
	BadPer  time.Duration // the time in which bad recipients of the network are counted; 0 = they are not asked for
}

// Standing is what the ledger knows of a client that has arrived.
type Standing struct {
	Serving, Waiting int  // sessions of all clients
	Stressed         bool // since 80 % of a limit on them was reached, until below 60 %
	Conns            int  // live sessions of its network
	Arrivals         int  // of its network within Limits.Per, this one not counted
	Known            bool // it waited quietly not long ago
	Strikes          int  // of its network in the last 24 hours
	BadRcpts         int  // of its network within Limits.BadPer; see [Tx.BadRcpt]
	Blocked          bool
	BlockLeft        time.Duration
	Reason           string       // of the block
	Network          netip.Prefix // on which the block is; it may be wider than its own
}

// Look tells how the client stands. Counts that have reached a limit (or the
// mark of 80 %) are held against the living processes first. Call it before
// anything else in the same Do: the sessions it finds dead are freed at once.
func (t *Tx) Look(a Arrival) Standing {
	t.verify(a)
	st := t.state()
	t.stress(a.Limits)
	s := Standing{Serving: int(st.serving), Waiting: int(st.waiting), Stressed: st.stressed != 0}
	k := keyOf(a.Network)
	var longest longestBlock
	if i := t.l.find(k); i >= 0 {
		c := t.l.record(i)
		s.Conns = int(t.sessionsOf(c))
		s.Known = c.known(t.now)
		s.Strikes = c.strikesWithin(t.now, strikeMemory)
		if a.Limits.Rate > 0 {
			w := c.rate
			w.advance(t.now, a.Limits.Per)
			s.Arrivals = w.count()
		}
		if a.Limits.BadPer > 0 {
			s.BadRcpts = c.badWithin(t.now, a.Limits.BadPer)
		}
		t.lookBlock(&longest, i)
	}
	t.lookWiderBlocks(&longest, a.Client.Addr(), k)
	if longest.left > 0 {
		is := t.l.record(longest.record).block(t.now)
		s.Blocked, s.BlockLeft, s.Reason, s.Network = true, is.Left, is.Reason, is.Network
	}
	return s
}

// Enter counts the client's arrival and a waiting session of process p. It reports
// false, and counts no session, if all slots are taken by living ones.
func (t *Tx) Enter(a Arrival, p Process) (Session, bool) {
	record := t.place(keyOf(a.Network))
	if record >= 0 {
		c := t.l.change(record)
		c.seen = t.now
		if a.Limits.Rate > 0 {
			c.rate.advance(t.now, a.Limits.Per)
			c.rate.add()
		}
	}
	return t.open(record, a, p)
}

// Serve turns a waiting session into one that is served by an MTA.
func (t *Tx) Serve(s Session) {
	if i := t.mine(s); i >= 0 && t.l.slot(i).state == slotWaiting {
		t.serve(i)
	}
}

func (t *Tx) serve(i int) {
	s := t.l.changeSlot(i)
	s.state = slotServing
	if s.shared == 1 {
		s.checked = t.now // see orphan
	}
	st := t.state()
	if st.waiting > 0 {
		st.waiting--
	}
	st.serving++
}

// Leave ends a session.
func (t *Tx) Leave(s Session) {
	if i := t.mine(s); i >= 0 {
		t.free(i)
	}
}

// Remember makes the network known for so long (at most [MaxBlock]; not at all with d = 0).
func (t *Tx) Remember(network netip.Prefix, d time.Duration) {
	if d <= 0 {
		return
	}
	if i := t.place(keyOf(network)); i >= 0 {
		t.l.change(i).knownTill = t.now + min(d, MaxBlock).Milliseconds()
	}
}

// BadRcpt counts one recipient of the network that the MTA has rejected, and returns how many there were in any time so
// long that ends now, this one included; per is 1 ms to 24 h. It is counted as arrivals are: one that
// is older by up to a sixteenth may count yet, none is left out. From 255 on the number may be too low, but never below 255.
//
// Where the network has no record and gets none, since all that could make place have live sessions, it is the first
// each time.
func (t *Tx) BadRcpt(network netip.Prefix, per time.Duration) (total int) {
	i := t.place(keyOf(network))
	if i < 0 {
		return 1
	}
	c := t.l.change(i)
	c.seen = t.now
	c.bad.advance(t.now, badPer(per))
	c.bad.add()
	return c.bad.count()
}

// Penalty is when strikes make a block and how long it lasts.
type Penalty struct {
	Strikes  int // 0 = never; at most 8
	Within   time.Duration
	For, Max time.Duration
}

// Strike notes an offence of the network, which is no longer known, and begins a block if it
// was one too many. It returns the strikes that count now, the latest included, and
// the length of the block that begins with it (0 = none).
func (t *Tx) Strike(network netip.Prefix, reason string, p Penalty) (strikes int, block time.Duration) {
	k := keyOf(network)
	i := t.place(k)
	if i < 0 {
		return 1, 0
	}
	c := t.l.change(i)
	copy(c.strikes[1:], c.strikes[:])
	c.strikes[0] = t.now
	c.seen, c.knownTill = t.now, 0
	c.setReason(reason)
	strikes = c.strikesWithin(t.now, p.Within)
	if p.Strikes > 0 && strikes >= p.Strikes {
		block = t.beginBlock(k, c, t.escalated(c, p), p)
		c.strikes = [strikesKept]int64{}
	}
	return strikes, block
}
