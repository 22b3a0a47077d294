package guard

import (
	"net/netip"
	"sync"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/milter"
	"sendwrap/wrapper/policy"
)

// A spammer that forges senders of our domain makes innocent mail servers bounce to us, or ask us
// whether the sender exists: MAIL FROM:<> and a recipient that does not exist. So the bad
// recipients of the null sender count for the session, which ends, but cause no strike and no
// block, and are not added to others. A dictionary attack gains nothing by it: when a network has
// named as many of them as one session may, its null sender is deferred for a while, and all other
// mail flows.

// maxBouncing is how many networks are remembered at least.
const maxBouncing = 8192

// bounces are the networks whose null sender has lately named bad recipients. They are kept in two
// generations, which bounds them without a search.
type bounces struct {
	mu            sync.Mutex
	recent, older map[netip.Prefix]bounceCount
}

// bounceCount is how many bad recipients the null sender of one network has named.
type bounceCount struct {
	n     int
	until time.Time // when it is forgotten
}

// of is how many the network has named; 0 once that is forgotten.
func (b *bounces) of(network netip.Prefix, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.get(network, now).n
}

// add counts one more, and returns how many there are. The count is forgotten after
// l.BouncesPer, from the first one or, once the limit is reached, from the last one.
func (b *bounces) add(network netip.Prefix, now time.Time, l *decide.Limits) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.get(network, now)
	if c.n++; c.n == 1 || c.n >= l.Bounces {
		c.until = now.Add(l.BouncesPer)
	}
	if len(b.recent) >= maxBouncing || b.recent == nil {
		b.recent, b.older = map[netip.Prefix]bounceCount{}, b.recent
	}
	b.recent[network] = c
	return c.n
}

func (b *bounces) get(network netip.Prefix, now time.Time) bounceCount {
	c, found := b.recent[network]
	if !found {
		c = b.older[network]
	}
	if !now.Before(c.until) {
		return bounceCount{}
	}
	return c
}

// countBounce counts a bad recipient of the null sender.
func (s *session) countBounce() {
	f := &s.facts
	f.Bounced++
	if f.Limits.Bounces == 0 || s.guard.door.IsOwn(s.network) {
		return
	}
	f.Bounces = s.guard.bounces.add(s.network, time.Now(), f.Limits)
	if s.countMailed(); f.BouncesGuess() && s.config.Mode == policy.Enforce {
		s.guard.disconnectNullSenders(s)
	}
}

// deferNull answers the null sender of a network that has named too many bad recipients; None for
// any other. Only this message is deferred.
func (s *session) deferNull() milter.Answer {
	f := &s.facts
	if !f.Null || f.Limits.Bounces == 0 {
		return milter.None
	}
	if f.Bounces = s.guard.bounces.of(s.network, time.Now()); f.Bounces < f.Limits.Bounces {
		return milter.None
	}
	if s.countMailed(); !f.BouncesGuess() {
		if enforced := f.AsEnforced(); enforced.BouncesGuess() {
			s.noteObserved(decide.BadRcpts)
		}
		return milter.None
	}
	const code = "450"
	if !s.loggedNull { // apart from logged: the session may still cause a block
		s.loggedNull = true
		s.logVerdict(decide.BadRcpts, s.loggedCode(code), activeBlock{}, f)
	}
	if s.config.Mode == policy.Observe {
		return milter.None
	}
	s.open = false
	s.nullOpen.Store(false)
	return s.reply(code, decide.BadRcpts)
}

// countMailed asks the ledger how much good mail has come from the network, if that matters.
func (s *session) countMailed() {
	f := &s.facts
	if f.Bounces < f.Limits.Bounces {
		return
	}
	network, per, good := s.network, f.Limits.BouncesPer, 0
	read := func(t *ledger.Tx) { good = t.Rcpts(network, per).Good }
	if s.guard.inLedger(read) == nil {
		f.Mailed = good
	}
}

// disconnectNullSenders disconnects the network's other sessions of the null sender that have no
// good recipient: each could name one more, which sendmail rejects before it asks the guard.
func (g *guard) disconnectNullSenders(of *session) {
	for _, s := range g.allSessions() {
		if s != of && s.network == of.network && s.nullOpen.Load() && !s.busy.Load() {
			s.disconnectAfter(0)
		}
	}
}
