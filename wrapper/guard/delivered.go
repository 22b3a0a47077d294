package guard

import (
	"hash/maphash"
	"slices"
	"strings"

	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// maxDelivered is how many good recipients of one message count.
const maxDelivered = 100

// rcptSet are the good recipients of a message, each once: to name a valid one a hundred times is
// no good behaviour.
type rcptSet struct{ hashes []uint64 }

func (r *rcptSet) clear() { r.hashes = r.hashes[:0] }

// add adds a recipient. The seed is secret, so that an attacker cannot find two names of one hash.
func (r *rcptSet) add(seed maphash.Seed, rcpt string) {
	hash := maphash.String(seed, strings.ToLower(rcpt))
	if len(r.hashes) < maxDelivered && !slices.Contains(r.hashes, hash) {
		r.hashes = append(r.hashes, hash)
	}
}

// countDelivered counts a message that goes through, and its good recipients, of which none are
// noted if no limit holds for the client. With remember_after mail the client is known from now on.
func (s *session) countDelivered() {
	n, l, network := len(s.goodRcpts.hashes), s.facts.Limits, s.network
	makesKnown := !s.exempt && s.config.RememberAfter == policy.AfterMail
	observes := !s.exempt && s.config.Observes()
	s.mailed = true
	counts := makesKnown || !s.unrestricted() && n > 0
	if !counts && !observes {
		return
	}
	s.goodRcpts.clear()
	var refusals []int // that were only observed
	log := s.sentLogger()
	s.guard.writeThen(func(t *ledger.Tx) {
		if l.BadRcptsShare > 0 && n > 0 {
			t.GoodRcpts(network, n, l.BouncesPer)
			for w, total := range l.WideRcpts {
				if total.N > 0 {
					t.GoodRcpts(l.Wide[w].Network, n, total.Per)
				}
			}
		}
		if makesKnown {
			t.Remember(network, l.Remember)
		}
		if counts {
			t.Delivered(network)
		}
		if observes {
			refusals = t.Delivers(network)
		}
	}, func() { log(refusals) })
}

// countPassed counts a session of a client that had waited, which is over: had it a message?
func (s *session) countPassed() {
	g := s.guard
	if !s.passed || g.stop.Err() != nil { // it goes on without the guard
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.door.Ledger.CountPassed(!s.mailed)
}
