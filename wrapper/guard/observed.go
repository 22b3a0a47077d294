package guard

import (
	"strings"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// noteObserved logs, once a session, how an observed limit would have refused the client; Undecided
// if none would.
func (s *session) noteObserved(v decide.Verdict) {
	if v != decide.Undecided && !s.observed[v] {
		s.observed[v] = true
		enforced := s.facts.AsEnforced()
		s.logVerdict(v, "", activeBlock{}, &enforced)
	}
}

// sentLogger returns what logs that the client has sent mail after these refusals, which were only
// observed. The line names the message that is under way now.
func (s *session) sentLogger() func(refusals []int) {
	g, pid := s.guard, s.pid()
	client, network, queue := s.client, s.network, s.queue
	return func(refusals []int) {
		if len(refusals) == 0 {
			return
		}
		words := make([]string, len(refusals))
		for i, v := range refusals {
			words[i] = decide.Verdict(v).String()
		}
		l := maillog.NewLine("SENT").Addr("client", client).Str("network", network.String()).
			Str("observed", strings.Join(words, ","))
		if queue != "" {
			l.Str("queue", queue)
		}
		_ = g.log().WriteAs(pid, maillog.Info, l.String())
	}
}

// loggedCode is the code of a reply as logVerdict needs it.
func (s *session) loggedCode(code string) string {
	if s.config.Mode == policy.Observe {
		return ""
	}
	return code
}
