package ledger

import (
	"net/netip"
	"time"
)

// Tx is the ledger while the lock is held; see [Ledger.Do].
type Tx struct {
	l   *Ledger
	now int64 // ledger time, ms

	origin uint8 // number of the machine from which this comes; 0 = this one; see From

	unrecorded, wideUncounted bool // of the last client; see Uncounted
}

func (t *Tx) state() *state { return t.l.state }

// Arrival is a client at the door: how it is counted, and the limits that hold for it.
type Arrival struct {
	Client  netip.AddrPort // IPv4-mapped addresses unmapped
	Network netip.Prefix   // under which it is counted
	Wide    bool           // its sessions are counted by its wide network, too; see [WideBits]
	Limits  Limits         // for Look and Enter

	// WideLimits are those of other wide networks that contain the client; nil = none. It is a
	// pointer since most arrivals have none.
	WideLimits *[MaxWide]WideLimits

	Delay time.Duration // it will wait this long, for [LiveSession]; set it before Enter
}

// Limits are the numbers to which the caller compares a [Standing]; 0 = there is no such limit. The
// ledger itself refuses no client. It must know them to see when a count has to be verified:
// sessions whose process has died count until a process looks.
type Limits struct {
	Serving int           // MTAs in session at once
	Waiting int           // clients in the greet delay at once
	Conns   int           // live sessions of the network
	Rate    int           // arrivals of the network in any
	Per     time.Duration // so long
	// HangupsPer is the time in which hangups of the network count; 0 = none do.
	HangupsPer time.Duration
	// Scarce is the percentage of Serving, or of Waiting, from which on it matters who has the
	// places; 0 = never.
	Scarce int
}

// places says whether it matters who has the MTAs, waits whether it does of the network around a
// client.
func (m *Limits) places(s *state) bool {
	return m.Scarce > 0 && reaches(s.serving, m.Serving, m.Scarce)
}
func (m *Limits) waits(s *state) bool {
	return m.Scarce > 0 && reaches(s.waiting, m.Waiting, m.Scarce)
}

// Standing is what the ledger knows of a client that has arrived.
type Standing struct {
	Serving, Waiting int  // sessions of all clients
	Stressed         bool // since 80 % of a limit on them was reached, until below 60 %
	Conns            int  // live sessions of its network
	Served           int  // those of them with an MTA; 0 until places are scarce
	Wide             Wide // of its wide network; 0 until places are scarce
	Arrivals         int  // of its network within Limits.Per, this one not counted
	WideCounts       [MaxWide]WideCount
	Known            bool    // it waited quietly not long ago
	Trusted          bool    // it is known, and has come in several hours since, or delivered mail
	Waited           bool    // it is known, or was less than [PatienceMemory] ago; see [Tx.Strike]
	Strikes          int     // of its network in the last 24 hours
	Hangups          Hangups // of its network within Limits.HangupsPer, since it was last known
	Blocked          bool
	BlockLeft        time.Duration
	ByHand           bool         // see [BlockedNetwork]
	Reason           string       // of the block or the network's last strike, or ""
	From             string       // the machine that has begun the block; "" = this one
	Network          netip.Prefix // on which the block is; it may be wider than its own
}

// Look returns how the client stands. Counts that have reached a limit, or 80 % of one, are first
// compared with the live processes. Call it before anything else in the same Do: the sessions that
// it finds dead are freed at once.
func (t *Tx) Look(a Arrival) Standing {
	t.verifyCounts(a)
	t.updateStress(a.Limits)
	return t.standing(a)
}

// standing is how the client stands by what the ledger says.
func (t *Tx) standing(a Arrival) Standing {
	st := t.state()
	s := Standing{Serving: int(st.serving), Waiting: int(st.waiting), Stressed: st.stressed != 0}
	k := keyOf(a.Network)
	var longest longestBlock
	if i := t.l.find(k); i >= 0 {
		c := t.l.record(i)
		s.Conns = int(t.sessionsOf(c))
		if a.Limits.places(st) {
			s.Served = t.servedOf(i)
		}
		s.Known, s.Waited, s.Trusted = c.known(t.now), c.waited(t.now), c.trusted(t.now)
		if s.Strikes = c.strikes.within(t.now, strikeMemory); s.Strikes > 0 {
			s.Reason = c.reasonText()
		}
		if a.Limits.Rate > 0 {
			w := c.rate
			w.advance(t.now, a.Limits.Per)
			s.Arrivals = w.count()
		}
		s.Hangups = c.hangups(t.now, a.Limits.HangupsPer)
		t.considerBlock(&longest, i)
	}
	t.considerWiderBlocks(&longest, a.Client.Addr(), k)
	if a.Wide && (a.Limits.places(st) || a.Limits.waits(st)) {
		s.Wide = t.wideOf(a.Client.Addr())
	}
	for n := range MaxWide {
		if limits := a.wideLimits(n); limits != nil {
			s.WideCounts[n] = t.wideCount(limits)
		}
	}
	if longest.left > 0 {
		s.SetBlock(t.blockOf(&longest))
	}
	return s
}

// SetBlock says that this block runs.
func (s *Standing) SetBlock(b BlockedNetwork) {
	s.Blocked, s.BlockLeft, s.ByHand = true, b.Left, b.ByHand
	s.Reason, s.From, s.Network = b.Reason, b.From, b.Network
}

// LookAgain is Look for a client whose arrival and session are counted already. The limits on both
// were checked then, so it does not verify the sessions of its networks again, and Arrivals and
// WideCounts are 0.
func (t *Tx) LookAgain(a Arrival) Standing {
	a.Limits.Conns, a.Limits.Rate, a.WideLimits = 0, 0, nil
	return t.Look(a)
}

// Enter counts the client's arrival and a waiting session of process p. It reports
// false, and counts no session, if all slots are taken by living ones.
func (t *Tx) Enter(a Arrival, p Process) (Session, bool) { return t.enter(a, p, true) }

// AddSession is Enter without the arrival, which has been counted before or does not count. It uses
// none of the limits.
func (t *Tx) AddSession(a Arrival, p Process) (Session, bool) { return t.enter(a, p, false) }

func (t *Tx) enter(a Arrival, p Process, arrives bool) (Session, bool) {
	record := t.claimRecord(keyOf(a.Network))
	t.unrecorded, t.wideUncounted = record < 0, false
	if record >= 0 {
		c := t.l.change(record)
		if t.now-c.seen >= strikeMemory.Milliseconds() {
			c.strikes.hangups = hangupRun{} // their minutes repeat after six weeks
		}
		c.seen = t.now
		if arrives && a.Limits.Rate > 0 {
			c.rate.advance(t.now, a.Limits.Per)
			c.rate.add(1)
		}
	} else {
		t.state().unrecorded++
	}
	s, ok := t.openSession(record, a, p)
	if ok {
		t.enterWide(int(s.slot)-1, a, arrives)
		if arrives && record >= 0 {
			t.l.record(record).add(Event{Verdict: -1, Arrived: true}, t.now)
		}
	}
	return s, ok
}

// Uncounted says of the client that was counted last whether there was no place for its network, or
// a wide network could not count it: then limits of these do not hold.
func (t *Tx) Uncounted() (network, wide bool) { return t.unrecorded, t.wideUncounted }

// Serve turns a waiting session into one that is served by an MTA.
func (t *Tx) Serve(s Session) {
	if i := t.slotOf(s); i >= 0 && t.l.slot(i).state == slotWaiting {
		t.serve(i, false)
	}
}

func (t *Tx) serve(i int, passed bool) {
	s := t.l.changeSlot(i)
	s.state = slotServing
	if !passed {
		s.delay = 0
	}
	if s.shared() {
		s.checked = t.now // see orphan
	}
	st := t.state()
	if st.waiting > 0 {
		st.waiting--
	}
	st.serving++
	t.serveWide(s)
}

// Leave ends a session.
func (t *Tx) Leave(s Session) {
	if i := t.slotOf(s); i >= 0 {
		t.free(i)
	}
}

// Remember makes the network known for d (at most [MaxBlock]; not at all with d = 0).
func (t *Tx) Remember(network netip.Prefix, d time.Duration) {
	if d <= 0 {
		return
	}
	k := keyOf(network)
	if i := t.claimRecord(k); i >= 0 {
		c := t.l.change(i)
		c.remember(t.now, d)
		t.tell(k, outboxEvent{kind: OutboxKnown, till: c.knownTill})
	}
}
