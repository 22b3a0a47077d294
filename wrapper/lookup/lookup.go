// Package lookup is all that DNS is asked about one address: what lists say of it, and which names
// it has. It asks through a [resolve.Resolver], never waits, and says at any time what the answers
// come to so far.
//
// It knows nothing of clients, limits or the ledger: package wrapper decides what to ask and what
// follows, and keeps a [Result] as bytes.
package lookup

import (
	"net/netip"
	"time"

	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/resolve"
)

// MaxLists is how many lists there can be.
const MaxLists = 32

// Set is a set of lists, by their number in the configuration.
type Set uint32

// Has says whether the list is in the set.
func (s Set) Has(list int) bool { return s>>list&1 == 1 }

// With is the set and this list.
func (s Set) With(list int) Set { return s | 1<<list }

// Request says what is asked about an address.
type Request struct {
	Addr    netip.Addr   // an IPv4-mapped one as IPv4
	Lists   []dnsbl.List // those of the configuration, at most MaxLists
	Ask     Set          // are asked about the address
	Test    Set          // are tested; see [Test]
	Trusted Set          // have passed their last test; others count when they have passed this one
	Names   bool         // which names the address has is asked, too
	Until   time.Time    // what comes later does not count
}

// Lookup is what is being asked about an address. It may be used by one goroutine at a time.
type Lookup struct {
	Request
	resolver *resolve.Resolver
	changed  func()
	lists    []list
	names    names
	left     int  // questions without an answer
	replied  bool // DNS has answered something, and not that it cannot
	fails    bool // it has answered that it cannot
	started  time.Time
	slowest  time.Duration // of what DNS has answered
	waited   time.Duration // for what it has not
}

// list is what has come of asking one list.
type list struct {
	answer   resolve.Answer // about the address
	answered bool
	trial    trial
}

// Start begins to ask. It calls changed, from [resolve.Resolver.Handle], each time an answer may
// have changed the [Result].
func Start(r *resolve.Resolver, q Request, changed func()) *Lookup {
	l := &Lookup{Request: q, resolver: r, changed: changed, lists: make([]list, len(q.Lists)),
		started: time.Now()}
	first := 0
	if len(q.Lists) > 0 {
		first = int(q.Addr.As16()[15]) % len(q.Lists)
	}
	for n := range q.Lists { // in a crowd not all may be asked: each list begins for some clients
		i := (first + n) % len(q.Lists)
		if q.Ask.Has(i) {
			l.askList(i)
		}
		if q.Test.Has(i) {
			l.testList(i)
		}
	}
	if q.Names {
		l.askNames()
	}
	return l
}

// ask sends a question. note is called with the answer.
func (l *Lookup) ask(name string, t resolve.Type, note func(resolve.Answer)) {
	l.left++
	l.resolver.Ask(resolve.Question{Name: name, Type: t}, l.Until, func(a resolve.Answer) {
		l.left--
		switch a.Result {
		case resolve.NoAnswer:
			l.waited = max(l.waited, a.Took)
		case resolve.Failed:
			l.slowest, l.fails = max(l.slowest, a.Took), true
		default:
			l.slowest, l.replied = max(l.slowest, a.Took), true
		}
		note(a)
		l.changed()
	})
}

func (l *Lookup) askList(i int) {
	l.ask(dnsbl.Name(l.Addr, l.Lists[i].Zone), resolve.A, func(a resolve.Answer) {
		s := &l.lists[i]
		s.answer, s.answered = a, true
		if why, lies := dnsbl.Lies(a.Addrs); lies {
			s.trial.lie(why)
		}
	})
}

// asks says whether there is anything to ask.
func (l *Lookup) asks() bool { return l.Ask|l.Test != 0 || l.Names }

// Done says whether nothing can change any more.
func (l *Lookup) Done() bool { return l.left == 0 }

// listed says whether the list has the address, and can be believed.
func (l *Lookup) listed(i int) bool {
	s := &l.lists[i]
	return s.answered && s.answer.Result == resolve.Found && s.trial.result != Failed &&
		(l.Trusted.Has(i) || s.trial.result == Passed)
}

// open says whether the weight of a list may still change.
func (l *Lookup) open(i int) bool {
	s := &l.lists[i]
	switch {
	case !l.Ask.Has(i) || s.trial.result == Failed:
		return false
	case !s.answered:
		return true
	case s.answer.Result != resolve.Found || l.Trusted.Has(i):
		return false
	}
	return s.trial.result == NotTested && s.trial.missing > 0
}

// Result is what the answers come to so far.
func (l *Lookup) Result() (r Result) {
	for i := range l.Lists {
		if !l.Ask.Has(i) {
			continue
		}
		of, answer := &l.Lists[i], &l.lists[i].answer
		switch r.Score.Ask(of); {
		case l.open(i):
		case l.listed(i):
			if w := r.Score.Answer(of, answer.Addrs, answer.TTL); w != 0 {
				r.Hits = append(r.Hits, Hit{List: i, Addr: first(answer.Addrs), Weight: w})
			}
		case answer.Result == resolve.NotFound:
			r.Score.Answer(of, nil, answer.TTL)
		default:
			r.Score.NoAnswer(of)
		}
	}
	r.Names = l.names.confirmed()
	r.Done, r.Naming = l.Done(), l.Names && !l.names.complete()
	r.Heard = l.replied || !l.asks()
	return r
}

// first is the lowest address that counts, so that the log does not depend on the order in which a
// server gives them.
func first(addrs []netip.Addr) (lowest netip.Addr) {
	for _, a := range addrs {
		if dnsbl.Counts(a) && (!lowest.IsValid() || a.Less(lowest)) {
			lowest = a
		}
	}
	return lowest
}

// TTL is for how long the result holds, but from least to most. Where an answer is missing, or is
// not believed yet, it is the least: the next client has it asked for again.
func (l *Lookup) TTL(least, most time.Duration) time.Duration {
	for i := range l.lists {
		of := &l.lists[i]
		r, tested := of.answer.Result, l.Trusted.Has(i) || of.trial.result != NotTested
		if l.Ask.Has(i) && r != resolve.NotFound && (r != resolve.Found || !tested) {
			return least
		}
	}
	result := l.Result()
	ttl := most
	if l.Ask != 0 {
		ttl = result.Score.TTL(least, most)
	}
	if l.Names {
		ttl = min(ttl, l.names.ttl())
	}
	return max(ttl, least)
}
