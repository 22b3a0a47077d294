package decide

import (
	"fmt"
	"strings"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
)

// Places
//
// An MTA serves its client for as long as that likes. So the more of max_sessions are taken, the
// fewer a network may have of them: else a few networks would take all. The last ones are for
// networks that have none, and for known clients.

// From so many percent of the places on a network may have only so many of them. OPERATIONS says
// what an attacker gets.
const (
	scarceAt, scarceShare = 60, 10
	rareAt, rareShare     = 80, 3
)

// Full says whether as many sessions as may are served.
func (f *Facts) Full() bool { return f.Serving >= f.Limits.MaxSessions }

// taken says whether so many percent of the places are.
func (f *Facts) taken(percent int) bool { return f.Serving*100 >= f.Limits.MaxSessions*percent }

// Scarce is the percentage of the places, taken or wanted, from which on the ledger has to say
// which network has them.
func (l *Limits) Scarce() int { return min(scarceAt, 100-l.Reserve) }

// shares says whether client_conns shrinks for the client. Where there is none nothing can, and of
// a network of which the administrator has said how many it may have, that is meant.
func (l *Limits) shares() bool { return l.ClientConns > 0 && !l.FixedConns }

// Share is how many sessions with an MTA the client's network may have by now, 0 = client_conns
// alone says so. It is the same for the wider network around it.
func (f *Facts) Share() int {
	switch {
	case !f.Limits.shares():
		return 0
	case f.taken(rareAt):
		return min(f.Limits.ClientConns, rareShare)
	case f.taken(scarceAt):
		return min(f.Limits.ClientConns, scarceShare)
	}
	return 0
}

// served is how many sessions with an MTA the network has, or the wider one around it.
func (f *Facts) served() int { return max(f.Served, f.Wide.Served) }

// HasItsShare says whether the network, or the wider one around it, has as many sessions with an
// MTA as it may have by now.
func (f *Facts) HasItsShare() bool {
	n := f.Share()
	return n > 0 && f.served() >= n
}

// crowds says whether the network has as many sessions, waiting and served, as it may.
func (f *Facts) crowds() bool {
	return f.Limits.ClientConns > 0 && f.Conns >= f.Limits.ClientConns
}

// wideCrowds says the same of the wider network, while places are scarce. A large provider may send
// from one, so it has no limit before; and only those that wait take places from those that wait.
func (f *Facts) wideCrowds() bool {
	scarce := f.taken(scarceAt) ||
		f.Waiting*100 >= f.Limits.MaxWaiting*scarceAt && !f.IsKnown()
	return scarce && f.Limits.shares() && f.Wide.Conns >= f.Limits.ClientConns
}

// WiderDecides says whether it is the wider network that has as many sessions as it may, and not
// the client's own.
func (f *Facts) WiderDecides() bool {
	n := f.Share()
	return !f.crowds() && !(n > 0 && f.Served >= n) && (f.wideCrowds() || f.HasItsShare())
}

// Reserved says whether no places are left but those in reserve, and these are not for the client.
// The last quarter of them is for clients that are trusted: to be known costs one wait.
func (f *Facts) Reserved() bool {
	return f.lastOnes() && !f.IsTrusted() ||
		f.taken(100-f.Limits.Reserve) && !f.IsKnown() && f.served() > 0
}

// WantsPlace says whether no place is left for the client, and nothing else is in its way: it would
// be let in if sessions ended. While there are places, no session ends for a network that has some.
func (f *Facts) WantsPlace() bool {
	return (f.Full() || f.Reserved() && f.served() == 0) &&
		!f.crowds() && !f.wideCrowds() && !f.HasItsShare()
}

// TalkPercent is the percentage of max_waiting up to which denied clients may be talked to in
// processes of their own. They are counted as ones that wait, and leave the rest to these, far from
// where stress begins.
const TalkPercent = 20

// MayTalk says whether there is a place for one more of them, of its network, too.
func (f *Facts) MayTalk() bool {
	return !f.crowds() && f.Waiting*100 < f.Limits.MaxWaiting*TalkPercent
}

// lastOnes says whether that quarter is all that is left.
func (f *Facts) lastOnes() bool {
	return f.Limits.Reserve > 0 && f.Serving*400 >= f.Limits.MaxSessions*(400-f.Limits.Reserve)
}

const trustedOnes = "known clients that have come back for hours, or delivered mail"

// PlacesLeft says what holds for the places that are left when so many are taken, or when none is,
// "" for nothing in particular. It is for status.
func PlacesLeft(c *config.Config, serving int) string {
	var f Facts
	f.Limits.Set(c, false, allowlist.Limits{})
	f.Serving = serving
	if f.Full() {
		until := ""
		if c.MaxIdle > 0 {
			until = " unless a session is idle for " + config.FormatDuration(c.MaxIdle)
		}
		return " (full: all but allowed clients read 421" + until + ")"
	}
	var holds []string
	if n := f.Share(); n > 0 {
		holds = append(holds, fmt.Sprintf("a network may have %d", n))
	}
	switch {
	case f.lastOnes():
		holds = append(holds, "the last are for "+trustedOnes)
	case f.Limits.Reserve > 0 && f.taken(100-f.Limits.Reserve):
		holds = append(holds, "the last are for known clients, and for networks with none")
	}
	if holds == nil {
		return ""
	}
	return " (scarce: " + strings.Join(holds, "; ") + ")"
}
