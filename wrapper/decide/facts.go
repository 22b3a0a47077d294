package decide

import (
	"cmp"
	"net/netip"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// Facts are all that a decision looks at.
type Facts struct {
	ledger.Standing             // zero without a ledger: no client is known, none is counted
	Rule            rule.Match  // what the administrator said about the client
	Map             rule.Match  // what the access map says; Rule comes first
	Load            float64     // 1-minute load average; 0 unless refuse_load is set
	Score           dnsbl.Score // of the lists of DNS, by now
	Asking          bool        // DNS has not answered everything yet
	Naming          bool        // it is not known which names the client has, and that matters
	Limits          Limits
}

// Limits are the numbers of the configuration as they hold for one client.
type Limits struct {
	MaxSessions int
	MaxWaiting  int
	RefuseLoad  float64 // 0 = none
	Reserve     int     // percent of MaxSessions
	ClientConns int     // 0 = none
	FixedConns  bool    // the administrator has set ClientConns for this network
	ClientRate  rule.Rate
	GreetDelay  time.Duration
	StressDelay time.Duration
	Remember    time.Duration  // 0 = no client is known
	KnownByMail bool           // not by waiting
	Hangups     rule.Rate      // after which a client need not wait, once; 0 = never
	Strikes     policy.Weights // for speaking early
	Threshold   int            // of the score, to refuse; 0 = none
	Welcome     int            // of the score, to end the wait; 0 = none
	AsksLists   bool           // DNS is asked about the client
	Observed    policy.Observed

	// The guard's.
	BadRcpts      int       // of a session; 0 = none, as for all of these
	BadPercent    int       // of all that the session has named
	BadRcptsTotal rule.Rate // of the network
	BadRcptsShare int       // percent of all that the network has named
	Bounces       int       // of the null sender, over all sessions within BouncesPer
	BouncesPer    time.Duration
	MaxRcpts      int
	MaxResets     int
	BadRcptDelay  time.Duration

	// Of the wide networks that contain the client; see SetWide.
	Wide        [policy.MaxWide]ledger.WideLimits
	WideStrikes [policy.MaxWide]int       // that make a block; 0 = none, as for all of these
	WideRcpts   [policy.MaxWide]rule.Rate // bad ones, for the guard
}

// SetLimits sets the numbers of the configuration, and in their place those of the access map and
// of the client lines for the client.
func (f *Facts) SetLimits(c *policy.Settings, inRoom bool) {
	f.Limits.Set(c, inRoom, f.Map.Limits.OverriddenBy(f.Rule.Limits))
}

// Set sets the numbers of the configuration, and those of the client lines for the client in their
// place. It does so in place: copies on the stack would make it grow, by pages that a process or a
// session keeps while it waits.
func (l *Limits) Set(c *policy.Settings, inRoom bool, said rule.Limits) {
	*l = Limits{
		MaxSessions: c.MaxSessions, MaxWaiting: c.MaxWaiting, RefuseLoad: c.RefuseLoad,
		Reserve:     c.Reserve,
		ClientConns: said.CountOr(rule.ClientConns, c.ClientConns),
		FixedConns:  said.IsSet(rule.ClientConns),
		ClientRate:  said.RateOr(rule.ClientRate, c.ClientRate),
		GreetDelay:  said.TimeOr(rule.GreetDelay, c.GreetDelay),
		StressDelay: c.StressDelay, Remember: c.Remember, Strikes: c.KindStrikes,
		KnownByMail: c.RememberAfter == policy.AfterMail, Observed: c.ObservedLines(),

		BadRcpts:      said.CountOr(rule.BadRcpts, c.BadRcpts),
		BadPercent:    said.CountOr(rule.BadRcptsPercent, c.BadRcptsPercent),
		BadRcptsTotal: said.RateOr(rule.BadRcptsTotal, c.BadRcptsTotal),
		BadRcptsShare: c.BadRcptsShare,
		MaxRcpts:      said.CountOr(rule.MaxRcpts, c.MaxRcpts),
		MaxResets:     said.CountOr(rule.MaxResets, c.MaxResets),
		BadRcptDelay:  said.TimeOr(rule.BadRcptDelay, c.BadRcptDelay),
	}
	if l.AsksLists = len(c.Lists) > 0 && said.CountOr(rule.DNSBL, 1) > 0; l.AsksLists {
		l.Threshold, l.Welcome = c.DNSBLThreshold, c.DNSBLWelcome
	}
	if l.Remember > 0 {
		l.Hangups = c.Hangups
	}
	l.Bounces = cmp.Or(l.BadRcpts, l.BadRcptsTotal.N)
	l.BouncesPer = cmp.Or(l.BadRcptsTotal.Per, usualPer)
	if inRoom {
		l.MaxWaiting = c.RoomWaiting
	}
}

// SetWide sets the limits of the wide networks that contain the client. What the client lines say
// of networks as wide as these holds in their place. Call Set before.
func (l *Limits) SetWide(c *policy.Settings, client netip.Addr, said *rule.Limits) {
	for n := range c.Wide {
		w := &c.Wide[n]
		conns := wideLimit(said, rule.ClientConns, n, rule.Rate{N: w.ClientConns})
		rate := wideLimit(said, rule.ClientRate, n, w.ClientRate)
		l.Wide[n] = ledger.WideLimits{
			Network: c.WideNetwork(client, n), Conns: conns.N, Rate: rate.N, Per: rate.Per,
		}
		l.WideStrikes[n] = w.Strikes
		l.WideRcpts[n] = wideLimit(said, rule.BadRcptsTotal, n, w.BadRcptsTotal)
	}
}

// wideLimit is a limit of the n-th wide network, or the one in its place.
func wideLimit(said *rule.Limits, k rule.Key, n int, limit rule.Rate) rule.Rate {
	if wide, ok := k.Wide(n); ok && limit.N > 0 {
		return said.RateOr(wide, limit)
	}
	return limit
}

// IsWide says whether there are any of them.
func (l *Limits) IsWide() bool { return l.Wide[0].Network.IsValid() }

// usualPer is the time for which the null sender's bad recipients count where no other is set.
const usualPer = time.Hour
