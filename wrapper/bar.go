package wrapper

import (
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// Bar is the verdict about a client of a room that waits, for its delay to be over, for its turn,
// or for its MTA to be started, when a block has begun. It reports false, and the client waits on
// as if nobody had asked, if none runs on its network, if it is allowed by now, or if live sessions
// do not end for a block.
func (s *Session) Bar(waited, turn time.Duration) bool {
	s.renew()
	if s.config.Mode == config.Observe || !s.config.Block.Kill {
		return false
	}
	return s.bar(waited, turn)
}

// bar is Bar whatever the configuration says of mode and kill. A process with one client calls it
// when it gets a signal: whoever has begun the block sends that, and has looked at both, unless an
// administrator wants the session to end in any case.
func (s *Session) bar(waited, turn time.Duration) bool {
	if s.facts.Rule.Access == allowlist.Allow {
		return false
	}
	var block ledger.BlockedNetwork
	var runs bool
	counted := s.counted
	err := s.door.inLedger(func(t *ledger.Tx) {
		client := s.Client.Addr()
		if block, runs = t.BlockOf(client, s.door.Network(client)); runs {
			t.Count(int(decide.Blocked))
			s.leave(t)
		}
	})
	if err != nil {
		s.counted = counted
		return false // it is asked again when its time is over
	}
	if runs {
		f := &s.facts
		f.Blocked, f.BlockLeft, f.Reason, f.Network = true, block.Left, block.Reason, block.Network
		s.Verdict, s.greet, s.waited, s.turn, s.dismissed = decide.Blocked, decide.Quiet, waited, turn, true
	}
	return runs
}

// Ruled is the verdict about a client of a room that waits, when the room has read its
// configuration anew: it is allowed or denied by now, whatever it does. It reports false, and the
// client waits on as if nobody had asked, if it is neither.
func (s *Session) Ruled(waited, turn time.Duration) bool {
	if s.door.Config.Networks.Match(s.Client.Addr()).Access == allowlist.Unset {
		return false
	}
	s.turn = turn
	s.Conclude(decide.Quiet, waited)
	return true
}
