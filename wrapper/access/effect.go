package access

import (
	"time"

	"sendwrap/allowlist/rule"
)

// Effect is what an entry means for the clients that it holds: in place of what a wider entry of
// its group says of the same keys.
type Effect struct {
	Decides bool        // about access: else the entry has only limits
	Access  rule.Access // Deny with our reply, if Reply is ""
	Reply   string
	Limits  rule.Limits
	Unset   []rule.Key // limits that are not set here, whatever a wider entry says
}

// Effect is that of an entry; a limit beyond the largest is the largest. What the map says OK of,
// lists are not asked about.
func (e *Entry) Effect() (f Effect) {
	n := e.Value.N
	k := [Tags]rule.Key{rule.DNSBL, rule.GreetDelay, rule.ClientRate, rule.ClientConns}[e.Tag]
	f.Decides = e.Tag == Connect
	switch {
	case e.Tag == Connect && e.Value.Kind == OK:
		f.Access = rule.Allow
		f.Limits.SetCount(k, 0)
		return f
	case e.Tag == Connect && e.Value.Kind != Skip:
		f.Access, f.Reply = rule.Deny, e.Value.Reply
	case e.Tag == Connect || e.Value.Kind != Number:
	case e.Tag == GreetPause:
		f.Limits.SetTime(k, min(time.Duration(min(n, 1<<30))*time.Millisecond, rule.MaxGreetDelay))
		return f
	case e.Tag == ClientRate:
		f.Limits.SetRate(k, rateOf(n))
		return f
	case e.Tag == ClientConn:
		f.Limits.SetCount(k, min(n, rule.MaxClientConns))
		return f
	}
	f.Unset = []rule.Key{k}
	return f
}

// rateOf is so many arrivals in a minute, which is sendmail's ConnectionRateWindowSize.
func rateOf(n int) rule.Rate {
	if n == 0 {
		return rule.Rate{}
	}
	return rule.Rate{N: min(n, rule.MaxClientRate), Per: time.Minute}
}
