package decide

import (
	"strconv"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// Shown is what check shows: the facts that decide, and what an administrator should know besides.
type Shown struct {
	*Facts
	Own   string       // says which address of this machine the network holds; "" for none
	Rcpts ledger.Rcpts // of the network within BadRcptsTotal

	// Of the wide networks with limits of their own.
	WideStrikes [ledger.MaxWide]int
	WideRcpts   [ledger.MaxWide]ledger.Rcpts
	WideOwn     [ledger.MaxWide]bool // it holds an address of this machine

	HasMap   bool     // the configuration has an access map
	HasNames bool     // it has rules for names of its own
	HasLists bool     // it has lists of DNS
	Heard    bool     // what DNS says about the client is known
	Would    Verdict  // of an observed test; Undecided = none
	Names    []string // that the client has for certain
	Hits     string   // the lists that have it, as the log writes them
}

// Step is one test of the decision as an administrator reads it.
type Step struct {
	Verdict Verdict // that the test reaches
	Test    string
	Found   string
	Decides bool
}

// Steps lists the tests in their order, with what each finds and which of them has reached the
// verdict. It decides nothing itself. Tests of names and lists are there if the configuration has
// such.
func (s *Shown) Steps(v Verdict) (steps []Step) {
	for _, e := range explanations {
		if e.of == maps && !s.HasMap || e.of == names && !s.HasNames ||
			e.of == lists && !s.HasLists {
			continue
		}
		decides := e.verdict == v
		if v == Denied || v == Allowed {
			decides = decides && e.of == s.ruling()
		}
		found := e.found(s)
		if e.verdict == s.Would && s.Would != v {
			found += "; would be refused by " + s.observedLine(s.Would) + ", which is observed"
		}
		steps = append(steps, Step{e.verdict, e.test, found, decides})
	}
	return steps
}

// subject is what a test is about, beyond what every configuration has.
type subject uint8

const (
	always subject = iota
	maps
	names
	lists
)

// ruling is what the test is about that allows or denies the client.
func (s *Shown) ruling() subject {
	switch {
	case s.byMap() != rule.Unset:
		return maps
	case s.byName() != rule.Unset:
		return names
	}
	return always
}

// explanations say in words what Decide and Conclude look at, in their order.
var explanations = []struct {
	of      subject
	verdict Verdict
	test    string
	found   func(s *Shown) string
}{
	{always, Denied, "deny network", func(s *Shown) string { return ruleText(s, rule.Deny) }},
	{always, Allowed, "allow network", func(s *Shown) string { return ruleText(s, rule.Allow) }},
	{maps, Denied, "access map", mapText},
	{always, Blocked, "block", blockText},
	{always, Busy, "sessions and load", func(s *Shown) string {
		limits := &s.Limits
		text := of(s.Serving, limits.MaxSessions) + " serving, " +
			of(s.Waiting, limits.MaxWaiting) + " waiting"
		if limits.RefuseLoad > 0 {
			text += ", load " + strconv.FormatFloat(s.Load, 'f', 2, 64) +
				" of " + strconv.FormatFloat(limits.RefuseLoad, 'g', -1, 64)
		}
		return text + reserveText(s)
	}},
	{always, Conns, "client_conns", func(s *Shown) string {
		return of(s.Conns, s.Limits.ClientConns) + " sessions of its network" + shareText(s) +
			wideConnsText(s)
	}},
	{always, Rate, "client_rate", func(s *Shown) string {
		rate := s.Limits.ClientRate
		if rate.N == 0 {
			return "no limit" + wideRateText(s)
		}
		return of(s.Arrivals, rate.N) + " arrivals of its network in " +
			rule.FormatDuration(rate.Per) + wideRateText(s)
	}},
	{names, Denied, "deny name", func(s *Shown) string { return nameText(s, rule.Deny) }},
	{names, Allowed, "allow name", func(s *Shown) string { return nameText(s, rule.Allow) }},
	{always, Known, "known", func(s *Shown) string {
		switch {
		case s.Limits.Remember == 0:
			return "off (remember 0)"
		case s.Known:
			return "yes: served at once, unless it has already spoken"
		case s.Limits.KnownByMail:
			return "no: it becomes known when the MTA accepts a message from it"
		}
		return "no"
	}},
	{always, Hangup, "leaves within the delay", func(s *Shown) string {
		return "no offence" + hangupsText(s)
	}},
	{always, Pregreet, "speaks within the delay", func(s *Shown) string {
		switch {
		case !s.Limits.enforces(policy.OnPregreet):
			return "served, and no strike: on_pregreet is observed"
		case s.IsPatient():
			return "421 and no strike: it has shown that it can wait"
		case s.Own != "":
			return "refused without a strike: " + s.Own
		}
		return "refused; strikes: " + s.Limits.Strikes.String()
	}},
	{lists, DNSBL, "dnsbl_threshold", thresholdText},
	{lists, DNSWL, "dnsbl_welcome", welcomeText},
	{always, Pass, "quiet to the end", func(s *Shown) string {
		switch after := rule.FormatDuration(s.Delay()); {
		case s.HasLeftOften() && s.Limits.AsksLists:
			return "served once the lists have answered, this time: " +
				"it has left quietly often enough"
		case s.HasLeftOften():
			return "served at once, this time: it has left quietly often enough"
		case s.Stressed:
			return "served after " + after + " (stress)"
		default:
			return "served after " + after
		}
	}},
}

// ruleText is the rule that allows or denies the client, if it is of this kind.
func ruleText(s *Shown, a rule.Access) string {
	if s.Rule.Access != a || s.Rule.Name != "" {
		return "no matching rule"
	}
	return s.Rule.Subject() + " (" + s.Rule.Source.String() + ")"
}

// mapText is what the access map says, and under which key.
func mapText(s *Shown) string {
	by := &s.Map
	text := by.Key + " (" + by.Source.String() + ")"
	switch {
	case by.Access == rule.Unset && s.mayBeNamed():
		return "no key for its address; its name is not known: DNS was not asked"
	case by.Access == rule.Unset:
		return "no matching key"
	case by.Access == rule.Allow:
		text += " lets it in"
	case by.Reply != "":
		text += " says " + strconv.Quote(by.Reply)
	default:
		text += " says REJECT"
	}
	switch {
	case s.Rule.Access != rule.Unset:
		text += ", but " + s.Rule.Source.String() + " comes first"
	case s.mayBeNamed():
		text += "; its name comes first, and is not known: DNS was not asked"
	case by.Access == rule.Allow && s.HasLists && !s.Limits.AsksLists:
		text += ": no lists are asked"
	}
	return text
}

// blockText is the block that runs, or what brings one nearer.
func blockText(s *Shown) string {
	if !s.Blocked && s.Own != "" {
		return "by hand only: " + s.Own
	}
	if !s.Blocked {
		text := "none; strikes in the last day: " + strconv.Itoa(s.Strikes)
		if s.Strikes > 0 && s.Reason != "" {
			text += ", the last for " + reasonText(s.Reason)
		}
		return text + wideStrikesText(s) + rcptsText(s)
	}
	text := s.Network.String() + " for another " + Seconds(s.BlockLeft) + ", because of " +
		reasonText(s.Reason) + rcptsText(s)
	if s.From != "" {
		text += "; " + s.From + " has begun it, see share_engine"
	}
	if s.Reason == "bad_rcpts" {
		text += "; a relay that passes on wrong names needs a line: client " + s.Network.String() +
			" bad_rcpts_total=100/1h, or bad_rcpts=N bad_rcpts_percent=50"
	}
	return text
}

// reasonText is a reason, and what to do about it.
func reasonText(reason string) string {
	if hint := Hint(reason); hint != "" {
		return reason + " (" + hint + ")"
	}
	return reason
}

// rcptsText is how many recipients of the network the guard has counted; "" if it counts none.
func rcptsText(s *Shown) string {
	total := s.Limits.BadRcptsTotal
	if total.N == 0 {
		return wideRcptsText(s)
	}
	return "; unknown recipients in " + rule.FormatDuration(total.Per) + ": " +
		of(s.Rcpts.Bad, total.N) + ", accepted ones " + strconv.Itoa(s.Rcpts.Good) +
		wideRcptsText(s)
}

// hangupsText is how often the network has left, and what follows; "" for nothing.
func hangupsText(s *Shown) string {
	n := s.Limits.Hangups
	if n.N == 0 || s.IsKnown() || s.Hangups.N == 0 {
		return ""
	}
	return "; " + of(s.Hangups.N, n.N) + " in " + rule.FormatDuration(n.Per) + ", " +
		s.Hangups.Waited.String() + " of " + rule.FormatDuration(s.Limits.GreetDelay) +
		" waited in all: then it is let in at once, one time"
}

// reserveText says for which clients the reserve is, once no other places are left.
func reserveText(s *Shown) string {
	last := "; the last " + strconv.Itoa(s.Limits.Reserve) + " % are for "
	switch {
	case s.Full() || !s.taken(100-s.Limits.Reserve):
		return ""
	case s.lastQuarter() && s.IsTrusted():
		return "; the last are for " + trustedOnes + ", as this one"
	case s.lastQuarter():
		return "; the last are for " + trustedOnes
	case s.IsKnown():
		return last + "known clients, as this one"
	case s.Reserved():
		return last + "known clients, and for networks with none; its own has " +
			strconv.Itoa(s.served())
	}
	return last + "networks with none, as this one"
}

// shareText says how many places the network may have, and the wide one around it, while they are
// scarce.
func shareText(s *Shown) (text string) {
	share := s.Share()
	if share > 0 {
		text = ", " + of(s.Served, share) + " with an MTA, as places are scarce"
	}
	if s.Wide.Conns > s.Conns && s.Limits.shrinks() {
		text += "; of its /" + strconv.Itoa(ledger.WideBits) + " " +
			of(s.Wide.Conns, s.Limits.ClientConns)
		if share > 0 {
			text += ", " + of(s.Wide.Served, share) + " with an MTA"
		}
	}
	return text
}

// Seconds is a duration for people: to the second, with units.
func Seconds(d time.Duration) string { return rule.FormatDuration(d.Truncate(time.Second)) }

// of is a count beside its limit.
func of(n, limit int) string {
	text := strconv.Itoa(n)
	if limit != 0 {
		text += " of " + strconv.Itoa(limit)
	}
	return text
}
