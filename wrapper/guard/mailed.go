package guard

import (
	"hash/maphash"
	"slices"
	"strings"

	"sendwrap/wrapper/ledger"
)

// maxMailed is how many good recipients of one message count.
const maxMailed = 100

// names are the good recipients of a message, each once: to name a valid one a hundred times is no
// good behaviour.
type names struct{ hashes []uint64 }

// begin forgets those of the message before.
func (n *names) begin() { n.hashes = n.hashes[:0] }

// add notes one. The seed is the process's own: an attacker cannot look for two names of one hash.
func (n *names) add(seed maphash.Seed, rcpt string) {
	if hash := maphash.String(seed, strings.ToLower(rcpt)); len(n.hashes) < maxMailed && !slices.Contains(n.hashes, hash) {
		n.hashes = append(n.hashes, hash)
	}
}

// mailed counts the good recipients of a message that goes through.
func (s *session) mailed() {
	n, l := len(s.names.hashes), s.facts.Limits
	if s.spared() || n == 0 {
		return
	}
	s.names.begin()
	network := s.network
	enter := func(t *ledger.Tx) {
		if l.BadRcptsShare > 0 {
			t.GoodRcpts(network, n, l.BouncesPer)
		}
		t.Delivered(network)
	}
	if err := s.guard.inLedger(enter); held(err) {
		s.guard.later(debt{enter: enter}, func() {})
	}
}
