package wrapper

import (
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
	"sendwrap/wrapper/policy"
)

// Sessions of the past are decided about once more, by what a log says of them: see package replay.
// Nobody is there to wait, to be asked or to read a reply.

// Past is what a log says of a client beside what it did.
type Past struct {
	Load float64     // the 1-minute load average then; 0 = it is not known
	Kind policy.Kind // of its early bytes, if it spoke
}

// NewPastSession is NewSession for a client of the past. It neither looks at a connection nor at
// this machine's load.
func (d *Door) NewPastSession(c Connection, p Past) *Session {
	s := d.prepare(c)
	d.rules(s.full, c.Client.Addr(), d.room)
	s.full.Load = p.Load
	s.hear(Early{Kind: p.Kind, Text: []byte{}})
	s.searched = true // sessions of today must not end for it
	if s.asksDNS() {
		s.heard = s.newHeard()
		s.applyHeard()
	}
	return s
}

// HearPast takes what DNS had said about the client by the time that has come. Without a rule or a
// list for which DNS is asked now it changes nothing.
func (s *Session) HearPast(r lookup.Result) { s.learn(r) }

// BlockedMeanwhile is RefuseIfBlocked, whatever the mode is and whether or not blocks end sessions.
func (s *Session) BlockedMeanwhile() (blocked bool) { return s.refuseIfBlocked(s.delay, 0) }

// Abandon ends a session about whose client nothing more is known. It gets no verdict.
func (s *Session) Abandon() { _ = s.update(s.leave) }

// HasTried says whether the client is known, or was not long ago: what it did early is then no
// offence.
func (s *Session) HasTried() bool { return s.facts().IsPatient() }

// Revive counts a session again that was served, and whose end came too early.
func (s *Session) Revive() (ok bool) {
	a := s.arrival()
	return s.update(func(t *ledger.Tx) { s.addTo(t, a, s.door.Process) }) == nil
}
