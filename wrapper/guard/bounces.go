package guard

import (
	"net/netip"
	"sync"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/milter"
)

// Whoever forges senders of our domain makes innocent mail servers bounce to us, or ask us whether
// the sender exists: MAIL FROM:<>, and a recipient that does not. So the bad recipients of the null
// sender count for the session, which ends, but make no strike and no block, and do not add up with
// others. For a dictionary it is no better a way: when the network has named as many of them as one
// session may, its null sender alone is put off for a while, and all other mail flows.

// maxBouncing is how many networks are remembered at least. One that is forgotten has named no more
// by then than one that has never come.
const maxBouncing = 8192

// bounces are the networks whose null sender has named bad recipients lately. They are of two
// generations, so that there is a bound to them and nothing has to be looked for.
type bounces struct {
	mu            sync.Mutex
	recent, older map[netip.Prefix]bounced
}

// bounced is what one network's has named, in the time that began with the first.
type bounced struct {
	n     int
	until time.Time // when it is forgotten
}

// of is what the network's has named, 0 once that is forgotten.
func (b *bounces) of(network netip.Prefix, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.get(network, now).n
}

// add counts one more, and returns what it has named. It is forgotten after that time: from the
// first on, or from now on if there are as many as may be.
func (b *bounces) add(network netip.Prefix, now time.Time, l *decide.Limits) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	is := b.get(network, now)
	if is.n++; is.n == 1 || is.n >= l.Bounces {
		is.until = now.Add(l.BouncesPer)
	}
	if len(b.recent) >= maxBouncing || b.recent == nil {
		b.recent, b.older = map[netip.Prefix]bounced{}, b.recent
	}
	b.recent[network] = is
	return is.n
}

func (b *bounces) get(network netip.Prefix, now time.Time) bounced {
	is, found := b.recent[network]
	if !found {
		is = b.older[network]
	}
	if !now.Before(is.until) {
		return bounced{}
	}
	return is
}

// bounced counts a bad recipient that the null sender has named.
func (s *session) bounced() {
	f := &s.facts
	f.Bounced++
	if f.Limits.Bounces == 0 || s.guard.door.IsOwn(s.network) {
		return
	}
	f.Bounces = s.guard.bounces.add(s.network, time.Now(), f.Limits)
	if s.weigh(); f.BouncesGuess() && s.config.Mode == config.Enforce {
		s.guard.shut(s)
	}
}

// putOff answers the null sender of a network that has named too many; none if it has not. Only
// this message is put off.
func (s *session) putOff() milter.Answer {
	f := &s.facts
	if !f.Null || f.Limits.Bounces == 0 {
		return milter.None
	}
	if f.Bounces = s.guard.bounces.of(s.network, time.Now()); f.Bounces < f.Limits.Bounces {
		return milter.None
	}
	if s.weigh(); !f.BouncesGuess() {
		return milter.None
	}
	const code = "450"
	if !s.toldNull { // apart from told: the session may earn a block yet
		s.toldNull = true
		s.write(decide.BadRcpts, code, sentence{})
	}
	if s.config.Mode == config.Observe {
		return milter.None
	}
	s.open = false
	s.null.Store(false)
	return s.replyAs(code, decide.BadRcpts)
}

// weigh looks how much good mail has come from the network, once that matters.
func (s *session) weigh() {
	f := &s.facts
	if f.Bounces < f.Limits.Bounces {
		return
	}
	network, per, good := s.network, f.Limits.BouncesPer, 0
	if s.guard.inLedger(func(t *ledger.Tx) { good = t.Rcpts(network, per).Good }) == nil {
		f.Mailed = good
	}
}

// shut ends the other sessions of the network in which the null sender has a message under way,
// without a good recipient: each could else name one more, which sendmail turns down before it asks
// us.
func (g *guard) shut(of *session) {
	for _, s := range g.watched() {
		if s != of && s.network == of.network && s.null.Load() && !s.busy.Load() {
			s.cutAfter(0)
		}
	}
}
