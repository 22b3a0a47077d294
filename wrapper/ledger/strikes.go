package ledger

import (
	"net/netip"
	"strings"
	"time"
)

// PatienceMemory is how long after it was last known a network counts as one that can wait. For
// that long Exim remembers that a server has offered PIPECONNECT (retry_data_expire, 7 days), and
// then speaks before the greeting.
const PatienceMemory = 7 * 24 * time.Hour

// Penalty says how many strikes cause a block, and how long it lasts.
type Penalty struct {
	Strikes  int // 0 = never; at most 8
	Within   time.Duration
	For, Max time.Duration
}

// Strike notes an offence of the network, with a weight of 0 to 8 strikes. The network is no longer
// known, nor one that has waited, and if it has too many strikes now it is blocked. With weight 0
// nothing changes.
//
// It returns the strikes that count now, these included, and the length of the block that begins
// (0 = none). If the ledger is full (see [Tx.Block]) the network has no record, and these are all
// its strikes.
func (t *Tx) Strike(network netip.Prefix, reason string, weight int, p Penalty) (
	count int, block time.Duration) {
	if weight <= 0 {
		return 0, 0
	}
	weight = min(weight, strikesKept)
	k := keyOf(network)
	i := t.claimRecord(k)
	if i < 0 {
		return weight, 0
	}
	c := t.l.change(i)
	for range weight {
		c.strikes.add(t.now)
	}
	c.seen, c.knownTill = t.now, 0
	c.setReason(reason)
	count = c.strikes.within(t.now, p.Within)
	if p.Strikes > 0 && count >= p.Strikes {
		block = t.setBlock(k, c, t.escalated(c, p), p)
		c.strikes = strikes{}
	}
	return count, block
}

// Strikes is how many strikes of the network count that are of the last time within.
func (t *Tx) Strikes(network netip.Prefix, within time.Duration) int {
	if i := t.l.find(keyOf(network)); i >= 0 {
		return t.l.record(i).strikes.within(t.now, within)
	}
	return 0
}

// Forgive takes back the newest strike of the network if its reason begins with that text, and
// reports whether it has. The reasons of earlier strikes are not kept, so another Forgive does
// nothing until there is another strike.
func (t *Tx) Forgive(network netip.Prefix, reason string) bool {
	i := t.l.find(keyOf(network))
	if i < 0 {
		return false
	}
	c := t.l.record(i)
	if c.strikes.newest <= 0 || c.blockLeft(t.now) > 0 ||
		!strings.HasPrefix(c.reasonText(), reason) {
		return false
	}
	c = t.l.change(i)
	c.strikes.drop()
	c.setReason("")
	return true
}

// waited says whether the network is known, or was not long ago. A strike or a block resets that.
func (c *client) waited(now int64) bool {
	return c.known(now) || c.knownTill > 0 && c.knownTill <= now &&
		now-c.knownTill < PatienceMemory.Milliseconds()
}

// strikes are the last offences of a network, and the hangups since.
type strikes struct {
	newest  int64                   // ledger time, 0 = there is none
	before  [strikesKept - 1]uint32 // the older ones, newest first: ms before the newest, 0 = none
	hangups hangupRun
}

// add notes one more. The oldest is forgotten if there is no room, or if it was weeks ago.
func (s *strikes) add(now int64) {
	older := *s
	*s = strikes{newest: now}
	if older.newest <= 0 {
		return
	}
	gap := max(now-older.newest, 1)
	for i := range s.before {
		ms := gap
		if i > 0 {
			if older.before[i-1] == 0 {
				return
			}
			ms += int64(older.before[i-1])
		}
		if ms > 1<<32-1 {
			return
		}
		s.before[i] = uint32(ms)
	}
}

// within counts those of the last d.
func (s *strikes) within(now int64, d time.Duration) (n int) {
	age := now - s.newest
	if s.newest <= 0 || age < 0 || age >= d.Milliseconds() {
		return 0
	}
	n = 1
	for _, ms := range s.before {
		if ms > 0 && age+int64(ms) < d.Milliseconds() {
			n++
		}
	}
	return n
}

// drop forgets the newest.
func (s *strikes) drop() {
	first := s.before[0]
	if first == 0 {
		*s = strikes{}
		return
	}
	older := strikes{newest: s.newest - int64(first)}
	for i, ms := range s.before[1:] {
		if ms > first { // else it is damaged, or there is none
			older.before[i] = ms - first
		}
	}
	*s = older
}
