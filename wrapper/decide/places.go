package decide

import (
	"strconv"
	"strings"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// Places
//
// An MTA serves its client for as long as the client likes. So the more of max_sessions are taken,
// the fewer of them a network may have: else a few networks would take all. The last ones are for
// networks that have none, and for known clients.

// Once this percentage of the places is taken, a network may have only this many of them.
// docs/ATTACKS.md says what an attacker gets.
const (
	scarceAt, scarceShare = 60, 10
	rareAt, rareShare     = 80, 3
)

// Full says whether max_sessions are served.
func (f *Facts) Full() bool { return f.Serving >= f.Limits.MaxSessions }

// taken says whether this percentage of the places is taken.
func (f *Facts) taken(percent int) bool { return f.Serving*100 >= f.Limits.MaxSessions*percent }

// Scarce is the percentage of the places, to be served or to wait, from which on the ledger has to
// say which network has them.
func (l *Limits) Scarce() int { return min(scarceAt, 100-l.Reserve) }

// shrinks says whether client_conns shrinks as places get scarce. It does not if there is no such
// limit, nor if the administrator has set it for this network.
func (l *Limits) shrinks() bool { return l.ClientConns > 0 && !l.FixedConns }

// Share is how many sessions with an MTA the client's network may have now; 0 = only client_conns
// holds. The wide network around it may have as many.
func (f *Facts) Share() int {
	switch {
	case !f.Limits.shrinks():
		return 0
	case f.taken(rareAt):
		return min(f.Limits.ClientConns, rareShare)
	case f.taken(scarceAt):
		return min(f.Limits.ClientConns, scarceShare)
	}
	return 0
}

// served is how many sessions with an MTA the network has, or the wide one if that has more.
func (f *Facts) served() int { return max(f.Served, f.Wide.Served) }

// HasItsShare says whether the network, or the wide one around it, has as many sessions with an
// MTA as it may have now.
func (f *Facts) HasItsShare() bool {
	n := f.Share()
	return n > 0 && f.served() >= n
}

// IsBlocked says whether a block refuses the client.
func (f *Facts) IsBlocked() bool {
	return f.Blocked && (f.ByHand || f.Limits.enforces(policy.Blocks))
}

// atRate says whether the network has as many arrivals as it may.
func (f *Facts) atRate() bool {
	return f.Limits.ClientRate.N > 0 && f.Arrivals >= f.Limits.ClientRate.N &&
		f.Limits.enforces(policy.ClientRate)
}

// DecidedByWide is the wide network, of those with limits of their own, because of which the
// client is refused with this verdict; -1 = it is not because of one.
func (f *Facts) DecidedByWide(v Verdict) int {
	switch {
	case v == Conns && !f.atConns() && !f.scarceWideAtConns() && !f.HasItsShare():
		return f.WideAtConns()
	case v == Rate && !f.atRate():
		return f.WideAtRate()
	}
	return -1
}

// atConns says whether the network has as many sessions, waiting and served, as it may.
func (f *Facts) atConns() bool {
	return f.Limits.ClientConns > 0 && f.Conns >= f.Limits.ClientConns &&
		f.Limits.enforces(policy.ClientConns)
}

// scarceWideAtConns says the same of the IPv6 /48, while places are scarce. Before that it has no
// limit, since a large provider may send from one. A known client does not wait, so it is not
// limited while only places to wait are scarce.
func (f *Facts) scarceWideAtConns() bool {
	scarce := f.taken(scarceAt) ||
		f.Waiting*100 >= f.Limits.MaxWaiting*scarceAt && !f.IsKnown()
	return scarce && f.Limits.shrinks() && f.Wide.Conns >= f.Limits.ClientConns
}

// WideAtConns is the number of the wide network, of those with limits of their own, that has as
// many sessions as it may; -1 = there is none.
func (f *Facts) WideAtConns() int {
	for n := range f.Limits.Wide {
		most := f.Limits.Wide[n].Conns
		if most > 0 && int(f.WideCounts[n].Conns) >= most && f.Limits.enforces(policy.WideLine(n)) {
			return n
		}
	}
	return -1
}

// WideAtRate is WideAtConns for arrivals.
func (f *Facts) WideAtRate() int {
	for n := range f.Limits.Wide {
		most := f.Limits.Wide[n].Rate
		if most > 0 && int(f.WideCounts[n].Arrivals) >= most &&
			f.Limits.enforces(policy.WideLine(n)) {
			return n
		}
	}
	return -1
}

// WideDecides says whether the wide network has as many sessions as it may, and the client's own
// network does not.
func (f *Facts) WideDecides() bool {
	n := f.Share()
	return !f.atConns() && !(n > 0 && f.Served >= n) && (f.scarceWideAtConns() || f.HasItsShare())
}

// Reserved says whether only the reserve is left, and it is not for the client. The last quarter of
// it is for trusted clients, since an attacker needs only one wait to be known.
func (f *Facts) Reserved() bool {
	return f.lastQuarter() && !f.IsTrusted() ||
		f.taken(100-f.Limits.Reserve) && !f.IsKnown() && f.served() > 0
}

// WantsPlace says whether the client would be let in if sessions ended: no place is left for it,
// and no other limit is against it. While there are places, no session ends for a network that has
// some.
func (f *Facts) WantsPlace() bool {
	return (f.Full() || f.Reserved() && f.served() == 0) &&
		!f.atConns() && !f.scarceWideAtConns() && !f.HasItsShare() && f.WideAtConns() < 0
}

// TalkPercent is the percentage of max_waiting up to which processes may talk to denied clients.
// These count as clients that wait. They leave most places to the others, and cause no stress.
const TalkPercent = 20

// MayTalk says whether there is a place for one more of them, and for one more of its networks.
func (f *Facts) MayTalk() bool {
	return !f.atConns() && f.WideAtConns() < 0 && f.Waiting*100 < f.Limits.MaxWaiting*TalkPercent
}

// lastQuarter says whether only the last quarter of the reserve is left.
func (f *Facts) lastQuarter() bool {
	return f.Limits.Reserve > 0 && f.Serving*400 >= f.Limits.MaxSessions*(400-f.Limits.Reserve)
}

const trustedOnes = "known clients that have come back for hours, or delivered mail"

// PlacesLeft says, for status, who may still have a place when this many sessions are served; "" if
// places are not scarce.
func PlacesLeft(c *policy.Settings, serving int) string {
	var f Facts
	f.Limits.Set(c, false, rule.Limits{})
	f.Serving = serving
	if f.Full() {
		until := ""
		if c.MaxIdle > 0 {
			until = " unless a session is idle for " + rule.FormatDuration(c.MaxIdle)
		}
		return " (full: all but allowed clients read 421" + until + ")"
	}
	var holds []string
	if n := f.Share(); n > 0 {
		holds = append(holds, "a network may have "+strconv.Itoa(n))
	}
	switch {
	case f.lastQuarter():
		holds = append(holds, "the last are for "+trustedOnes)
	case f.Limits.Reserve > 0 && f.taken(100-f.Limits.Reserve):
		holds = append(holds, "the last are for known clients, and for networks with none")
	}
	if holds == nil {
		return ""
	}
	return " (scarce: " + strings.Join(holds, "; ") + ")"
}
