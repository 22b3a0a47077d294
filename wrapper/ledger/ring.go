package ledger

import (
	"net/netip"
	"runtime/debug"
)

// Begun returns the networks on which blocks have begun since the one that had the running number
// since, the oldest first, and the number of the last. A network may be among them more than once;
// its block may be over. With all, more have begun than the ledger remembers, which is 64, or it is
// another ledger than the one that gave the number: then every block may be new, and Begun names
// none. Numbers have no meaning but to be given back; that of a ledger taken over from one of
// another size goes on.
//
// since = 0 asks for the number alone. A caller that begins to watch asks so first, and then looks
// at the blocks that run; from then on it gives the number that it got last.
//
// As long as nothing has begun, Begun costs a look at memory: no lock and no system call. Where the
// ledger cannot be read now it returns since and nothing else, so that nothing is missed by asking
// again; a Ledger that is lost for good says so through [Ledger.Replaced].
func (l *Ledger) Begun(since uint64) (networks []netip.Prefix, now uint64, all bool) {
	now, err := l.lastBegun()
	if err != nil || now == since {
		return nil, since, false
	}
	// What was seen without the lock may yet be undone.
	err = l.locked(nil, func(*Tx) {
		now = l.ring.begun.Load()
		networks, all = l.ring.since(since)
	})
	if err != nil {
		return nil, since, false
	}
	return networks, now, all
}

// lastBegun is the running number as it stands in the file now.
func (l *Ledger) lastBegun() (n uint64, err error) {
	if l.lost {
		return 0, ErrLost
	}
	defer l.catchFault(&err, debug.SetPanicOnFault(true))
	return l.ring.begun.Load(), nil
}

// since is what Begun returns.
func (r *ring) since(since uint64) (networks []netip.Prefix, all bool) {
	news := r.begun.Load() - since // of another ledger's number: with certainty too many
	if since == 0 || news > ringSize {
		return nil, since != 0
	}
	for ; news > 0; news-- {
		since++
		m := &r.networks[since%ringSize]
		if m.bits > 128 {
			return nil, true
		}
		networks = append(networks, key{m.addr, m.bits}.network().Masked())
	}
	return networks, false
}

// tellBegun notes that a block has begun on the network.
func (t *Tx) tellBegun(k key) {
	r := t.l.ring
	n := r.begun.Load() + 1
	at := int(n % ringSize)
	t.l.save(ringAt, 8)
	t.l.save(ringAt+ringHead+at*memberSize, memberSize)
	r.networks[at] = ringMember{addr: k.addr, bits: k.bits}
	r.begun.Store(n)
}
