package guard

import (
	"hash/maphash"
	"slices"
	"strings"

	"sendwrap/wrapper/ledger"
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

// countDelivered counts the good recipients of a message that goes through.
func (s *session) countDelivered() {
	n, l, network := len(s.goodRcpts.hashes), s.facts.Limits, s.network
	if s.unrestricted() || n == 0 {
		return
	}
	s.goodRcpts.clear()
	s.guard.write(func(t *ledger.Tx) {
		if l.BadRcptsShare > 0 {
			t.GoodRcpts(network, n, l.BouncesPer)
		}
		t.Delivered(network)
	})
}
