package wrapper

import (
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// The facts of a session take more memory than all else of it, and most of them are only a copy of
// the configuration. A room drops that while a client waits.

// resting is what a session keeps of its facts meanwhile.
type resting struct {
	standing ledger.Standing
	load     float64
}

// maxReserve is how many facts a room keeps for the next clients.
const maxReserve = 32

// newSession makes a session with room for its facts.
func (d *Door) newSession() *Session {
	if !d.room {
		whole := new(struct { // one piece of memory
			Session
			facts decide.Facts
		})
		whole.full = &whole.facts
		return &whole.Session
	}
	return &Session{full: d.newFacts()}
}

// prepare makes a session without the facts about its client.
func (d *Door) prepare(c Connection) *Session {
	s := d.newSession()
	s.Connection, s.door, s.policy = c, d, d.Policy
	s.network, s.wide = d.Network(c.Client.Addr()), d.countsWide(c.Client.Addr())
	return s
}

func (d *Door) newFacts() *decide.Facts {
	last := len(d.reserve) - 1
	if last < 0 {
		return new(decide.Facts)
	}
	f := d.reserve[last]
	d.reserve = d.reserve[:last]
	*f = decide.Facts{}
	return f
}

// facts are what is known of the client, for the decision and for the log.
func (s *Session) facts() *decide.Facts {
	if s.full == nil {
		s.full = s.door.newFacts()
		s.door.rules(s.full, s.Client.Addr(), s.door.room)
		s.full.Standing, s.full.Load = s.resting.standing, s.resting.load
		s.applyHeard()
	}
	return s.full
}

// Rest has the session take less memory until it is asked for something again. A room calls it when
// the client has to wait, or has been refused.
func (s *Session) Rest() {
	if f := s.full; f != nil {
		s.resting, s.full = resting{f.Standing, f.Load}, nil
		if d := s.door; len(d.reserve) < maxReserve {
			d.reserve = append(d.reserve, f)
		}
	}
}
