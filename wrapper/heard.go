package wrapper

import (
	"net/netip"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
)

// heard is what a session has to do with DNS.
type heard struct {
	addr    netip.Addr
	of      uint64       // by which configuration it is asked
	lists   []dnsbl.List // of that
	result  lookup.Result
	request *lookup.Request // that has to be sent yet
	inquiry *inquiry        // under way in this process
	follows bool            // another process asks
}

// asksDNS says whether DNS may be asked about the client: never about one that the configuration
// allows or denies.
func (s *Session) asksDNS() bool {
	return (s.facts().Limits.AsksLists || s.door.Policy.HasNames()) && s.facts().IsUnruled()
}

// newHeard is that of a client about which nothing is known.
func (s *Session) newHeard() *heard {
	a := s.door.askerFor()
	h := &heard{addr: s.Client.Addr().WithZone(""), of: a.of}
	if s.facts().Limits.AsksLists {
		h.lists = s.door.Policy.Lists
	} else {
		h.of = a.ofNames
	}
	return h
}

// recall takes what the ledger remembers of the client's address. If that is nothing, the session
// has not heard anything, and what is returned is for claim.
func (s *Session) recall(t *ledger.Tx) *heard {
	h := s.newHeard()
	found := t.Lookup(h.addr, h.of)
	if found.State != ledger.Asked {
		return h
	}
	r, ok := lookup.Decode(found.Data, len(h.lists))
	if !ok {
		return h
	}
	for _, hit := range r.Hits {
		if t.List(h.lists[hit.List].Zone).Aside > 0 { // it cannot be believed any more
			t.KeepLookup(h.addr, h.of, nil, 0)
			return h
		}
	}
	h.result = r
	s.heard = h
	s.applyHeard()
	return h
}

// claim makes it this process's work to ask about the client, unless another asks already.
func (s *Session) claim(t *ledger.Tx, h *heard) {
	if s.heard != nil || s.facts().Limits.GreetDelay <= 0 {
		return
	}
	s.heard = h
	defer s.applyHeard()
	if s.door.asker.inquiries[h.addr] != nil {
		return // see Ask
	}
	if h.follows = !t.ClaimLookup(h.addr, h.of, s.door.Process); h.follows {
		return
	}
	h.request = s.newRequest(h)
	for i := range h.lists {
		zone := h.lists[i].Zone
		l := t.List(zone)
		due := t.ClaimListTest(zone, testEvery)
		if l.Aside <= 0 {
			h.request.Ask = h.request.Ask.With(i)
			due = due || !l.Tested
		}
		if due {
			h.request.Test = h.request.Test.With(i)
		}
		if l.Tested {
			h.request.Trusted = h.request.Trusted.With(i)
		}
	}
}

// claimLater is claim while others have the ledger: they may have asked, or know the result.
func (s *Session) claimLater() {
	if s.heard != nil || s.facts().Limits.GreetDelay <= 0 || !s.asksDNS() {
		return
	}
	s.heard = s.newHeard()
	s.heard.follows = true
	s.applyHeard()
}

// claimAlone is claim without a ledger: nobody knows whether the lists can be believed.
func (s *Session) claimAlone() {
	if s.heard != nil || s.facts().Limits.GreetDelay <= 0 || !s.asksDNS() {
		return
	}
	h := s.newHeard()
	h.request = s.newRequest(h)
	for i := range h.lists {
		h.request.Ask, h.request.Test = h.request.Ask.With(i), h.request.Test.With(i)
	}
	s.heard = h
	s.applyHeard()
}

func (s *Session) newRequest(h *heard) *lookup.Request {
	return &lookup.Request{Addr: h.addr, Lists: h.lists, Names: s.door.Policy.HasNames()}
}

// Ask begins to ask DNS about a client that waits. It takes a few system calls for each list: do
// not call it for a client that has spoken already.
func (s *Session) Ask() {
	h := s.heard
	if h == nil || h.inquiry != nil || h.result.Done {
		return
	}
	a := s.door.askerFor()
	i := a.inquiries[h.addr]
	switch {
	case i != nil && i.of == h.of:
	case h.follows:
		a.followers = append(a.followers, s)
		if len(a.followers) == 1 {
			a.followAt = time.Now().Add(followEvery)
		}
		return
	case i != nil, h.request == nil, len(a.inquiries) >= mostInquiries:
		return
	default:
		h.request.Until = time.Now().Add(min(s.delay, longestInquiry))
		i = a.begin(h.request, h.of)
	}
	h.request, h.inquiry = nil, i
	h.result = i.result
	i.waiting = append(i.waiting, s)
}

// takeOver asks in place of a process that has ended before it had the result. If the ledger cannot
// be used, it tries that later.
func (s *Session) takeOver() {
	h, a := s.heard, &s.door.asker
	s.heard = nil
	if s.update(func(t *ledger.Tx) { s.claim(t, s.newHeard()) }) != nil {
		s.heard = h
		a.followers = append(a.followers, s)
		return
	}
	s.Ask()
}

// resumeAsking goes on for a session of the program before: it takes the result that the ledger
// remembers, or else has the question asked again. That program was this process, whose claims are
// still there, though nobody asks.
func (s *Session) resumeAsking() {
	h, d := s.newHeard(), s.door
	s.heard = h
	found := d.Ledger.PeekLookup(h.addr, h.of)
	if r, ok := lookup.Decode(found.Data, len(h.lists)); ok {
		h.result = r
		s.applyHeard()
		return
	}
	h.follows = true
	_ = d.Ledger.Run(func(t *ledger.Tx) { t.DropLookup(h.addr, h.of, d.Process) })
}

// AskAgain asks about a client that the program before has left waiting, unless its result is
// known.
func (s *Session) AskAgain() {
	if s.heard != nil && s.heard.follows {
		s.door.identify()
		s.takeOver()
	}
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
	}
	s.applyHeard()
	if s.facts().Limits.GreetDelay != before && !s.Decided() { // its name has another
		s.delay = s.facts().Delay()
	}
}

// applyHeard makes what DNS has said part of the facts.
func (s *Session) applyHeard() {
	h, a := s.heard, s.door.askerFor()
	f := s.facts()
	f.Score, f.Asking, f.Naming = dnsbl.Score{}, false, false
	if h == nil || h.of != a.of && h.of != a.ofNames { // something else is asked now
		return
	}
	f.Asking, f.Naming = !h.result.Done, h.result.Naming
	s.door.applyResult(f, &h.result, s.door.room)
}

// applyResult makes a result of DNS part of the facts.
func (d *Door) applyResult(f *decide.Facts, r *lookup.Result, inRoom bool) {
	f.Score = r.Score
	if len(r.Names) == 0 || !d.Policy.HasNames() {
		return
	}
	byName := d.Policy.MatchName(r.Names[0])
	for _, name := range r.Names[1:] {
		byName = byName.Or(d.Policy.MatchName(name))
	}
	f.Rule = f.Rule.Or(byName)
	f.Limits.Set(d.Policy.Settings, inRoom, f.Rule.Limits)
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
	i, dropped := d.asker.inquiries[h.addr], false
	switch {
	case i == nil:
	case s.Verdict == decide.Pregreet, s.Verdict == decide.Hangup:
		dropped = true
	default:
		d.keep([]*inquiry{i})
	}
	if dropped {
		_ = d.Ledger.Run(func(t *ledger.Tx) { t.DropLookup(h.addr, h.of, d.Process) })
	}
}

// Decided says whether what DNS has said ends the wait of a quiet client.
func (s *Session) Decided() bool { return s.facts().EndsWait() }

// Welcome says whether it ends the wait because the client is to be served.
func (s *Session) Welcome() bool {
	return s.Decided() && s.facts().Conclude(decide.Quiet).Served()
}

// RefusedByDNS says whether the client, whose wait is over, is refused for what DNS has said. What
// has not come does not count any more.
func (s *Session) RefusedByDNS() bool {
	if s.heard == nil {
		return false
	}
	s.settle()
	return s.Decided() && !s.facts().Conclude(decide.Quiet).Served()
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
	if s.door.asker.inquiries[h.addr] == nil { // else others of its address have
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
