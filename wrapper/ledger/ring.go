package ledger

import "net/netip"

// BlocksSince returns the networks of the blocks that have begun since block number since, the
// oldest first, and the number of the last one. A network may be in the list twice; its block may
// be over. If all is true, every block may be new and no networks are returned: more than 64 blocks
// have begun, which is all that the ledger remembers, or another ledger gave the number. The only
// use of a number is to pass it on; those of a ledger rebuilt with another size continue.
//
// since = 0 only asks for the number. A caller that begins to watch does so first, and then looks
// at the blocks in force.
//
// As long as nothing has begun, BlocksSince only looks at memory: no lock and no system call. If
// the ledger cannot be read now, it returns since and no networks, so that nothing is missed by
// asking again. [Ledger.Replaced] tells whether the ledger is lost for good.
func (l *Ledger) BlocksSince(since uint64) (networks []netip.Prefix, last uint64, all bool) {
	last, err := l.lastBlock()
	if err != nil || last == since {
		return nil, since, false
	}
	// What was seen without the lock may yet be undone.
	err = l.locked(nil, func(*Tx) {
		last = l.ring.last.Load()
		networks, all = l.ring.after(since)
	})
	if err != nil {
		return nil, since, false
	}
	return networks, last, all
}

// lastBlock is the number of the latest block in the file now.
func (l *Ledger) lastBlock() (n uint64, err error) {
	if l == nil || l.lost {
		return 0, ErrLost
	}
	defer l.catchFault(&err, setPanicOnFault(true))
	return l.ring.last.Load(), nil
}

// after is what BlocksSince returns.
func (r *ring) after(since uint64) (networks []netip.Prefix, all bool) {
	news := r.last.Load() - since // after another ledger's number this is certainly too large
	if since == 0 || news > ringSize {
		return nil, since != 0
	}
	for ; news > 0; news-- {
		since++
		m := &r.networks[since%ringSize]
		if m.bits == 0 || m.bits > 128 { // the file has become shorter, or is damaged
			return nil, true
		}
		networks = append(networks, key{m.addr, m.bits}.network().Masked())
	}
	return networks, false
}

// announceBlock notes that a block has begun on the network.
func (t *Tx) announceBlock(k key) {
	r := t.l.ring
	n := r.last.Load() + 1
	at := int(n % ringSize)
	t.l.save(ringAt, 8)
	t.l.save(ringAt+ringHead+at*memberSize, memberSize)
	r.networks[at] = ringMember{addr: k.addr, bits: k.bits}
	r.last.Store(n)
}
