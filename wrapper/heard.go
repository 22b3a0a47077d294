package wrapper

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
	"sendwrap/wrapper/policy"
)

// heard is what a session has to do with DNS.
type heard struct {
	inquired
	lists   []dnsbl.List // of the configuration by which it is asked
	result  lookup.Result
	request *lookup.Request // that has to be sent yet
	inquiry *inquiry        // under way in this process
	follows bool            // another process asks
}

// learn takes what DNS has said by now.
func (s *Session) learn(r lookup.Result) {
	h := s.heard
	if h == nil {
		return
	}
	before := s.facts().Limits.GreetDelay
	h.result = r
	if r.Done {
		h.inquiry = nil
		s.heard = s.door.shared(h)
	}
	s.applyHeard()
	if s.facts().Limits.GreetDelay != before && !s.Decided() { // its name has another
		s.delay = s.facts().Delay()
	}
}

// shared is what has been heard in the memory of one client: most are on no list, and have no name.
func (d *Door) shared(h *heard) *heard {
	if r := &h.result; len(r.Hits)+len(r.Names) > 0 || !r.Heard {
		return h
	}
	if c := d.asker.clean; c == nil || c.of != h.of {
		d.asker.clean = h
	}
	return d.asker.clean
}

// applyHeard makes what DNS has said part of the facts.
func (s *Session) applyHeard() {
	h, a := s.heard, s.door.askerFor()
	f := s.facts()
	f.Score, f.Asking, f.Naming = dnsbl.Score{}, false, s.door.Policy.HasNames()
	if h == nil || h.of != a.of && h.of != a.ofNames { // something else is asked now
		return
	}
	f.Asking = !h.result.Done
	h.result.Names = s.door.inOrder(h.result.Names)
	unread := s.door.applyResult(f, s.Client.Addr(), &h.result, s.door.room)
	s.door.Unread = cmp.Or(s.door.Unread, unread)
}

// applyResult makes a result of DNS part of the facts about a client. Its names are in order. The
// error says why a rule could not be read: such a rule does not hold.
func (d *Door) applyResult(
	f *decide.Facts, client netip.Addr, r *lookup.Result, inRoom bool,
) (unread error) {
	f.Score, f.Naming = r.Score, r.Naming
	if r.Naming || !d.Policy.HasNames() {
		return nil
	}
	byName, unread := matchNames(d.Policy.Rules, r.Names)
	f.Rule = f.Rule.Or(byName)
	if d.Policy.Map != nil {
		m, err := d.matchMap(client, r.Names)
		f.Map, unread = m.Or(f.Map), cmp.Or(unread, err)
	}
	d.limits(f, client, inRoom)
	return unread
}

// matchNames is what rules say of a client with these names, which are in order.
func matchNames(rules policy.Rules, names []string) (all rule.Match, unread error) {
	for _, name := range names {
		m, err := rules.MatchName(name)
		all, unread = all.Or(m), cmp.Or(unread, err)
	}
	return all, unread
}

// matchMap is what the access map says of the names of a client, which are in order.
func (d *Door) matchMap(client netip.Addr, names []string) (m rule.Match, unread error) {
	if len(names) == 0 {
		return d.Policy.Map.MatchUnnamed(client)
	}
	return matchNames(d.Policy.Map, names)
}

// inOrder are the names of a client in the order in which they decide: those with deny, those with
// allow, then others that have a rule; the rest, about which the log at most has something to say.
// Names of the same kind are in alphabetical order. A rule that cannot be read makes no difference.
func (d *Door) inOrder(names []string) []string {
	if len(names) < 2 || !d.Policy.HasNames() {
		return names
	}
	names = slices.Clone(names)
	slices.Sort(names)
	var kinds [4][]string
	for _, name := range names {
		m, _ := d.Policy.MatchName(name)
		if d.Policy.Map != nil {
			ofMap, _ := d.Policy.Map.MatchName(name)
			m = m.Or(ofMap)
		}
		kind := len(kinds) - 1
		switch {
		case m.Access == rule.Deny:
			kind = 0
		case m.Access == rule.Allow:
			kind = 1
		case m != rule.Match{}:
			kind = 2
		}
		kinds[kind] = append(kinds[kind], name)
	}
	return slices.Concat(kinds[:]...)
}

// hearDNS hears what DNS says while the client waits. It returns how long the client has to wait in
// all, and whether its wait is over.
func (s *Session) hearDNS() (delay time.Duration, decided bool) {
	s.door.HearDNS(func(*Session) {})
	return s.delay, s.heard != nil && s.Decided()
}

// pauseForDNS is the time until HearDNS has to be called, but at most the time given.
func (d *Door) pauseForDNS(most time.Duration) time.Duration {
	if left, asked := d.UntilDNS(); asked {
		return min(most, left)
	}
	return most
}

// endAsking ends what a process with one client asks. What it has heard is kept, unless the client
// did not wait for it.
func (s *Session) endAsking() {
	h, d := s.heard, s.door
	if h == nil {
		return
	}
	i := d.asker.inquiries[h.inquired]
	switch {
	case i == nil:
	case s.Verdict == decide.Pregreet, s.Verdict == decide.Hangup:
		_ = d.Ledger.Run(func(t *ledger.Tx) { t.DropLookup(h.addr, h.of, d.Process) })
	default:
		d.keep([]*inquiry{i})
	}
}

// Decided says whether what DNS has said ends the wait of a quiet client.
func (s *Session) Decided() bool { return s.facts().EndsWait() }

// Welcome says whether it ends the wait because the client is to be served.
func (s *Session) Welcome() bool {
	return s.Decided() && s.facts().Conclude(decide.Quiet).Served()
}

// Settle ends the wait of a quiet client for DNS: what has not come does not count any more.
func (s *Session) Settle() {
	s.catchUp()
	s.settle()
}

// RefusedByDNS says whether a quiet client is refused for what DNS has said.
func (s *Session) RefusedByDNS() bool {
	return s.heard != nil && s.Decided() && !s.Welcome()
}

// settle makes what DNS has said by the end of the wait all that counts.
func (s *Session) settle() {
	h := s.heard
	if h == nil {
		return
	}
	done := h.result.Done
	if h.inquiry != nil {
		h.result, done = h.inquiry.result, false
	}
	if !done {
		h.result.Settle()
		s.applyHeard()
	}
	s.leaveInquiry()
}

// dropRequest ends the claim of a session that has not asked.
func (s *Session) dropRequest(t *ledger.Tx) {
	h := s.heard
	if h == nil || h.request == nil {
		return
	}
	if s.door.asker.inquiries[h.inquired] == nil { // else others of its address have
		t.DropLookup(h.addr, h.of, s.door.Process)
	}
	for i := range h.lists {
		if h.request.Test.Has(i) {
			t.DropListTest(h.lists[i].Zone)
		}
	}
	h.request = nil
}

// leaveInquiry ends the interest in what is asked, which goes on.
func (s *Session) leaveInquiry() {
	if s.heard == nil {
		return
	}
	s.heard.follows = false
	if s.heard.inquiry == nil {
		return
	}
	i := s.heard.inquiry
	for n, other := range i.waiting {
		if other == s {
			last := len(i.waiting) - 1
			i.waiting[n], i.waiting[last] = i.waiting[last], nil
			i.waiting = i.waiting[:last]
			break
		}
	}
	s.heard.inquiry = nil
}
