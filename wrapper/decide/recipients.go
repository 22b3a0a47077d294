package decide

// Recipients are all that the guard's decision looks at: what a client has named since it has its
// MTA.
type Recipients struct {
	Blocked bool // a block runs on the client's network
	Good    int  // recipients of the session that the MTA accepted
	Bad     int  // and that it rejected for good
	Named   int  // good ones of this message, each once, 100 at most
	Total   int  // bad ones of the client's network in the window of BadRcptsTotal; 0 without a ledger
	Mailed  int  // good ones of it in that window, of messages that the MTA has accepted
	Known   bool // the network has waited quietly not long ago
	Resets  int  // transactions of the session that came to nothing
	Rcpts   int  // accepted ones of this message
	Limits  *Limits

	// The null sender's, which others can make an innocent network's.
	Null    bool // it is the sender of this message
	Bounced int  // of Bad, those of the session that it has named
	Bounces int  // and of all the network's sessions lately
}

// Decide is the decision about what the client has just asked for: the first test that applies
// decides. Undecided means that the MTA's own answer stands.
func (f *Recipients) Decide() Verdict {
	switch {
	case f.Blocked:
		return Blocked
	case f.guesses():
		return BadRcpts
	case f.Limits.MaxResets > 0 && f.Resets > f.Limits.MaxResets:
		return Resets
	case f.Limits.MaxRcpts > 0 && f.Rcpts > f.Limits.MaxRcpts:
		return MaxRcpts
	}
	return Undecided
}

// guesses says whether these are a dictionary's recipients: too many bad ones, in this session or
// of this network, and too large a share of the session's.
func (f *Recipients) guesses() bool {
	many := f.Limits.BadRcpts > 0 && f.Bad >= f.Limits.BadRcpts || f.GuessesInAll() || f.HasBounced()
	return f.Bad > 0 && many && f.Bad*100 >= f.Limits.BadPercent*(f.Bad+f.Good)
}

// GuessesInAll says whether the network has too many bad ones, and these are too large a share of
// all that it has named.
func (f *Recipients) GuessesInAll() bool {
	return f.Limits.BadRcptsTotal.N > 0 && f.Total >= f.Limits.BadRcptsTotal.N &&
		f.shared(f.Total, f.Mailed)
}

// HasBounced says whether the network's null sender has named too many: as many as one session may,
// since it gets no block for them.
func (f *Recipients) HasBounced() bool {
	return f.Null && f.Limits.Bounces > 0 && f.Bounces >= f.Limits.Bounces &&
		f.shared(f.Bounces, f.Mailed)
}

// shared says whether so many bad recipients are too large a share beside good ones.
func (f *Recipients) shared(bad, good int) bool { return bad*100 >= f.Limits.BadRcptsShare*(bad+good) }

// Offends says whether guessing is held against the network, too. It is not for what the null
// sender has named, nor where so much good mail comes from there that anybody with an account at
// that provider could have it blocked. The good ones of this message, not delivered yet, weigh
// nothing against a total.
func (f *Recipients) Offends() bool {
	if f.GuessesInAll() {
		return true
	}
	own := f.Bad - f.Bounced
	outweighed := f.Limits.BadRcptsTotal.N > 0 && !f.shared(f.Total, f.Mailed+f.Named)
	return f.Limits.BadRcpts > 0 && own >= f.Limits.BadRcpts && !outweighed
}

// Excused says whether guessing is no more than a strike: the client has shown good behaviour, and
// it is this one session that has named too many.
func (f *Recipients) Excused() bool {
	return (f.Known || f.Good > 0 || f.Mailed > 0) && !f.GuessesInAll()
}
