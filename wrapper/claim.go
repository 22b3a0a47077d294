package wrapper

import (
	"time"

	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
)

// asksDNS says whether DNS may be asked about the client: never about one that the configuration
// allows or denies.
func (s *Session) asksDNS() bool {
	return (s.facts().Limits.AsksLists || s.door.Policy.HasNames()) && s.facts().IsUnruled()
}

// newHeard is that of a client about which nothing is known.
func (s *Session) newHeard() *heard {
	a := s.door.askerFor()
	h := &heard{inquired: inquired{s.Client.Addr().WithZone(""), a.of}}
	if s.facts().Limits.AsksLists {
		h.lists = s.door.Policy.Lists
	} else {
		h.of = a.ofNames
	}
	h.result.Naming = s.door.Policy.HasNames()
	return h
}

// recall takes what the ledger remembers of the client's address, for applyHeard. If that is
// nothing, the session has not heard anything, and what is returned is for claim.
func (s *Session) recall(t *ledger.Tx) *heard {
	h := s.newHeard()
	found := t.Lookup(h.addr, h.of)
	if found.State != ledger.Asked {
		return h
	}
	r, ok := lookup.Decode(found.Data, len(h.lists))
	for _, hit := range r.Hits { // a list that is set aside cannot be believed any more
		ok = ok && t.List(h.lists[hit.List].Zone).Aside <= 0
	}
	if !ok {
		t.KeepLookup(h.addr, h.of, nil, 0)
		return h
	}
	h.result = r
	s.heard = s.door.shared(h)
	return s.heard
}

// claim makes it this process's work to ask about the client, unless another asks already.
func (s *Session) claim(t *ledger.Tx, h *heard) {
	if s.heard != nil || s.facts().Limits.GreetDelay <= 0 {
		return
	}
	s.heard = h
	defer s.applyHeard()
	if s.door.asker.inquiries[h.inquired] != nil {
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
			due = due || !l.Tested && l.Missed == 0 && len(s.door.asker.inquiries) < mostTesting
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
	i := a.inquiries[h.inquired]
	switch {
	case i != nil:
	case h.follows:
		a.followers = append(a.followers, s)
		if len(a.followers) == 1 {
			a.followAt = time.Now().Add(followEvery)
		}
		return
	case h.request == nil:
		return
	default:
		now := time.Now()
		if h.request.Until.IsZero() {
			h.request.Until = now.Add(min(s.delay, longestInquiry))
		}
		switch {
		case !now.Before(h.request.Until): // it has had its turn too late
			return
		case len(a.inquiries) >= mostInquiries:
			a.askLater(s)
			return
		}
		i = a.begin(h.request, h.of)
	}
	h.request, h.inquiry = nil, i
	h.result = i.result
	i.waiting = append(i.waiting, s)
}

// resumeAsking goes on for a session of the program before: it takes the result that the ledger
// remembers, or else has the question asked again. That program was this process, whose claims are
// still there, though nobody asks.
func (s *Session) resumeAsking() {
	h, d := s.newHeard(), s.door
	s.heard = h
	if s.takeResult() {
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

// AskIfOther has DNS asked about a client that waits in a room, if the configuration that holds now
// asks something else than that by which it was asked.
func (s *Session) AskIfOther() {
	s.renew()
	if !s.asksDNS() {
		return
	}
	h := s.newHeard()
	if s.heard != nil && s.heard.of == h.of {
		return
	}
	s.leaveInquiry()
	s.heard, h.follows = h, true
	s.applyHeard()
	s.Ask()
}
