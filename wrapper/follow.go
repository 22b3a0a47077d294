package wrapper

import (
	"time"

	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
)

// What a process does with a client about which another process asks.

const (
	// followEvery is how often a process looks for the result of another.
	followEvery = 250 * time.Millisecond

	// mostTaken is how many clients of processes that have ended are asked about at once.
	mostTaken = 64
)

// follow looks for the results of other processes.
func (d *Door) follow(learned func(*Session)) {
	a := &d.asker
	now := time.Now()
	if len(a.followers) == 0 || now.Before(a.followAt) {
		return
	}
	a.followAt = now.Add(followEvery)
	all, taken := a.followers, 0
	a.followers = nil
	for _, s := range all {
		if s.heard == nil || !s.heard.follows {
			continue // it does not wait any more
		}
		found := d.Ledger.PeekLookup(s.heard.addr, s.heard.of)
		switch found.State {
		case ledger.Asking:
			a.followers = append(a.followers, s)
		case ledger.NotAsked: // that process has ended
			if taken++; taken > mostTaken {
				a.followers, a.followAt = append(a.followers, s), now
				continue
			}
			s.takeOver()
		case ledger.Asked:
			s.heard.follows = false
			if r, ok := lookup.Decode(found.Data, len(s.heard.lists)); ok {
				s.learn(r)
				learned(s)
			}
		}
	}
}

// takeOver asks in place of a process that has ended before it had the result. If the ledger cannot
// be used, it tries that later.
func (s *Session) takeOver() {
	h, a := s.heard, &s.door.asker
	s.heard = nil
	if s.update(func(t *ledger.Tx) { s.claim(t, s.newHeard()) }) != nil {
		s.heard = h
		a.followers = append(a.followers, s)
		return
	}
	s.Ask()
}

// catchUp takes at the end of the wait what the process that asks has found out since the last
// look: as much counts as if this one had asked. The wait does not become longer by it.
func (s *Session) catchUp() {
	if s.heard != nil && s.heard.follows {
		s.takeResult()
	}
}

// takeResult takes the result that the ledger remembers, without its lock, and reports whether
// there is one.
func (s *Session) takeResult() (found bool) {
	h := s.heard
	remembered := s.door.Ledger.PeekLookup(h.addr, h.of)
	r, ok := lookup.Decode(remembered.Data, len(h.lists))
	if ok {
		h.result = r
		s.applyHeard()
	}
	return ok
}
