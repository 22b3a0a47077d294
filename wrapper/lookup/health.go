package lookup

import (
	"net/netip"
	"time"

	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/resolve"
)

// Test is what a test of a list has come to. Every list has the address 127.0.0.2, and none has
// 127.0.0.1 (RFC 5782 §5). A zone that nobody maintains any more lists all addresses, or none.
type Test uint8

const (
	NotTested Test = iota // or DNS has answered nothing at all, which says nothing about the list
	Passed
	Failed
)

var (
	listedAddr   = netip.AddrFrom4([4]byte{127, 0, 0, 2})
	unlistedAddr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
)

// trial is a test under way.
type trial struct {
	result  Test
	why     string // it has failed: a word that [dnsbl.Meaning] explains
	lied    bool   // an answer has said so itself
	missing int    // answers
	right   int    // answers that are as they should be
	refused bool
	lacking bool          // an answer that never came
	waited  time.Duration // for that; the least of two
}

// leastWait is for how long a list is waited for at least before its silence is held against it.
const leastWait = 500 * time.Millisecond

// fail notes an answer of the test that is not as it should be.
func (t *trial) fail(why string) {
	if t.result != Failed {
		t.result, t.why = Failed, why
	}
}

// lie notes an answer that says itself what is wrong. That is said, whichever comes first.
func (t *trial) lie(why string) {
	if !t.lied {
		t.result, t.why, t.lied = Failed, why, true
	}
}

// testList asks a list about both addresses.
func (l *Lookup) testList(i int) {
	l.testAnswer(i, listedAddr, resolve.Found, dnsbl.ListsNone)
	l.testAnswer(i, unlistedAddr, resolve.NotFound, dnsbl.ListsAll)
}

// testAnswer asks a list about an address, and fails it, for that reason, if the answer is another.
func (l *Lookup) testAnswer(i int, addr netip.Addr, want resolve.Result, reason string) {
	t := &l.lists[i].trial
	t.missing++
	l.ask(dnsbl.Name(addr, l.Lists[i].Zone), resolve.A, func(a resolve.Answer) {
		t.missing--
		why, lies := dnsbl.Lies(a.Addrs)
		switch {
		case lies && a.Result == resolve.Found && why != dnsbl.Localhost:
			t.lie(why)
		case a.Result == want:
			t.right++
		case a.Result == resolve.Found, a.Result == resolve.NotFound:
			t.fail(reason)
		case a.Result == resolve.Refused:
			t.refused = true
		case a.Result == resolve.NoAnswer:
			if !t.lacking || a.Took < t.waited {
				t.lacking, t.waited = true, a.Took
			}
		}
		if t.right == 2 && t.result == NotTested {
			t.result = Passed
		}
	})
}

// Health is how a list has behaved in a lookup.
type Health struct {
	Asked    bool // about the address
	Answered bool // whether it has it
	Listed   bool
	Silent   bool   // it has not answered, though DNS has answered something
	Test     Test   // Failed also if the answer about the address itself was a lie
	Why      string // it has failed: a word that [dnsbl.Meaning] explains
}

// Health says how a list has behaved. What has not come by the end of the lookup is held against
// the list; before that, nothing is. In a crowd a question may be sent late, or never, and then its
// silence says nothing: it must be waited for twice as long as for the slowest answer.
func (l *Lookup) Health(i int) Health {
	s, over := &l.lists[i], l.Done() || !time.Now().Before(l.Until)
	h := Health{
		Asked: l.Ask.Has(i), Listed: l.listed(i), Test: s.trial.result, Why: s.trial.why,
	}
	h.Answered = s.answer.Result == resolve.Found || s.answer.Result == resolve.NotFound
	if h.Asked && !h.Answered {
		h.Silent = l.replied && (s.answered || over)
		if !s.answered {
			h.Silent = h.Silent && l.isLong(l.Until.Sub(l.started))
		} else if s.answer.Result == resolve.NoAnswer {
			h.Silent = h.Silent && l.isLong(s.answer.Took)
		}
	}
	if h.Test == NotTested && l.Test.Has(i) && l.replied && l.testOver(&s.trial, over) {
		h.Test, h.Why = Failed, dnsbl.NoAnswer
		if s.trial.refused {
			h.Why = dnsbl.Refused
		}
	}
	return h
}

// Unheard says whether DNS has answered nothing at all by the end of the lookup, or only that it
// cannot answer: so does a resolver that reaches no other server, and no list is to blame for that.
// In a crowd a question may be sent late, or never: DNS must have had half the time.
func (l *Lookup) Unheard() bool {
	if !l.asks() || l.replied {
		return false
	}
	if !l.Done() {
		return !time.Now().Before(l.Until)
	}
	return l.fails || 2*l.waited >= l.Until.Sub(l.started)
}

// Fails says whether DNS has answered some question that it cannot answer it.
func (l *Lookup) Fails() bool { return l.fails }

// testOver says whether a test without a result has had its time.
func (l *Lookup) testOver(t *trial, over bool) bool {
	switch {
	case t.lacking:
		return l.isLong(t.waited)
	case t.missing > 0:
		return over && l.isLong(l.Until.Sub(l.started))
	}
	return true
}

// isLong says whether an answer that has not come in that time would have come by then if the list
// answered.
func (l *Lookup) isLong(d time.Duration) bool { return d >= max(leastWait, 2*l.slowest) }
