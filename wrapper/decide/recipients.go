package decide

import (
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// Recipients are all that the guard's decision looks at: what a client has named since it got its
// MTA.
type Recipients struct {
	Blocked bool // a block runs on the client's network
	Good    int  // recipients of the session that the MTA accepted
	Bad     int  // and that it rejected for good
	Named   int  // good ones of this message, each once, 100 at most
	Total   int  // bad ones of the network within BadRcptsTotal; 0 without a ledger
	Mailed  int  // good ones of the network in that time, of messages that the MTA accepted
	Known   bool // the network has waited quietly not long ago
	Resets  int  // transactions of the session without a message
	Rcpts   int  // accepted ones of this message
	Limits  *Limits

	Wide [ledger.MaxWide]ledger.Rcpts // of the wide networks, as Total and Mailed

	// Of the null sender. An attacker can make an innocent network send such mail.
	Null    bool // it is the sender of this message
	Bounced int  // those of Bad that it has named
	Bounces int  // bad ones that it has named lately, in all sessions of the network
}

// Decide is the decision about what the client has just asked for: the first test that applies
// decides. Undecided means that the MTA's own answer stands.
func (f *Recipients) Decide() Verdict {
	l := f.Limits
	switch {
	case f.Blocked:
		return Blocked
	case f.guesses():
		return BadRcpts
	case l.MaxResets > 0 && f.Resets > l.MaxResets && l.enforces(policy.MaxResets):
		return Resets
	case l.MaxRcpts > 0 && f.Rcpts > l.MaxRcpts && l.enforces(policy.MaxRcpts):
		return MaxRcpts
	}
	return Undecided
}

// Would is what Decide would say if no limit were observed; Undecided if none is.
func (f *Recipients) Would() Verdict {
	if f.Limits.Observed == 0 {
		return Undecided
	}
	enforced := f.AsEnforced()
	return enforced.Decide()
}

// AsEnforced is a copy with limits of which none is observed.
func (f *Recipients) AsEnforced() Recipients {
	enforced, limits := *f, *f.Limits
	limits.Observed = 0
	enforced.Limits = &limits
	return enforced
}

// guesses says whether these are recipients of a dictionary attack: too many bad ones, in this
// session or of this network, and too large a share of those of the session.
func (f *Recipients) guesses() bool {
	l := f.Limits
	many := l.BadRcpts > 0 && f.Bad >= l.BadRcpts && l.enforces(policy.BadRcpts) ||
		f.NetworkGuesses() || f.WideGuesses() >= 0 || f.BouncesGuess()
	return f.Bad > 0 && many && f.Bad*100 >= l.BadPercent*(f.Bad+f.Good)
}

// NetworkGuesses says whether the network has named too many bad ones, and these are too large a
// share of all that it has named.
func (f *Recipients) NetworkGuesses() bool {
	return f.Limits.BadRcptsTotal.N > 0 && f.Total >= f.Limits.BadRcptsTotal.N &&
		f.largeShare(f.Total, f.Mailed) && f.Limits.enforces(policy.BadRcptsTotal)
}

// WideGuesses is NetworkGuesses for the wide networks: the number of the widest of which that is
// so, -1 = of none.
func (f *Recipients) WideGuesses() int {
	for n := ledger.MaxWide - 1; n >= 0; n-- {
		most, has := f.Limits.WideRcpts[n].N, f.Wide[n]
		if most > 0 && has.Bad >= most && f.largeShare(has.Bad, has.Good) &&
			f.Limits.enforces(policy.WideLine(n)) {
			return n
		}
	}
	return -1
}

// BouncesGuess says whether the null sender of the network has named too many: as many as one
// session may, since there is no block for them.
func (f *Recipients) BouncesGuess() bool {
	by := policy.BadRcpts
	if f.Limits.BadRcpts == 0 {
		by = policy.BadRcptsTotal
	}
	return f.Null && f.Limits.Bounces > 0 && f.Bounces >= f.Limits.Bounces &&
		f.largeShare(f.Bounces, f.Mailed) && f.Limits.enforces(by)
}

// largeShare says whether the bad recipients are too large a share beside the good ones.
func (f *Recipients) largeShare(bad, good int) bool {
	return bad*100 >= f.Limits.BadRcptsShare*(bad+good)
}

// Offends says whether guessing is held against the network, too. It is not if the null sender has
// named them, nor if much good mail comes from the network: else any customer of a provider could
// have the provider blocked. Good recipients of this message, which is not delivered yet, do not
// count beside a total.
func (f *Recipients) Offends() bool {
	if f.NetworkGuesses() || f.WideGuesses() >= 0 {
		return true
	}
	own := f.Bad - f.Bounced
	outweighed := f.Limits.BadRcptsTotal.N > 0 && !f.largeShare(f.Total, f.Mailed+f.Named)
	return f.Limits.BadRcpts > 0 && own >= f.Limits.BadRcpts && !outweighed &&
		f.Limits.enforces(policy.BadRcpts)
}

// IsExcused says whether guessing is only a strike: the client has shown good behavior before, and
// only this one session has named too many.
func (f *Recipients) IsExcused() bool {
	return (f.Known || f.Good > 0 || f.Mailed > 0) && !f.NetworkGuesses() && f.WideGuesses() < 0
}
