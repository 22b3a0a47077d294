package ledger

// Eviction is what a network was that made room for another.
type Eviction int

// The evictions. Their numbers keep their meaning as long as files do.
const (
	EvictedHistory Eviction = iota // it had strikes, arrivals or past blocks
	EvictedKnown                   // it was known
	EvictedBlock                   // it was blocked
	evictions      = 3
)

// Evictions lists all that are counted, in order.
func Evictions() []Eviction { return []Eviction{EvictedHistory, EvictedKnown, EvictedBlock} }

// String is the word for programs.
func (e Eviction) String() string {
	return [...]string{EvictedHistory: "history", EvictedKnown: "known", EvictedBlock: "block"}[e]
}

// countEvicted counts the record that is about to be replaced, if anything in it matters.
func (t *Tx) countEvicted(c *client) {
	kind := EvictedKnown
	switch t.importance(c).rank {
	case empty, expired:
		return
	case history:
		kind = EvictedHistory
	case blocked, blockedByHand:
		kind = EvictedBlock
	}
	t.state().evicted[kind]++
}
