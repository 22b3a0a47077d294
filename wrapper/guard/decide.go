package guard

import (
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
)

// Facts are all that a decision looks at.
type Facts struct {
	Blocked bool // a block runs on the client's network
	Good    int  // recipients of the session that the MTA accepted
	Bad     int  // and that it rejected for good
	Total   int  // bad ones of the client's network in the window of BadRcptsTotal; 0 without a ledger
	Resets  int  // transactions of the session that came to nothing
	Rcpts   int  // accepted ones of this message
	Limits  Limits
}

// Limits are the numbers of the configuration as they hold for one client; 0 is none.
type Limits struct {
	BadRcpts      int
	BadPercent    int
	BadRcptsTotal allowlist.Rate
	MaxRcpts      int
	MaxResets     int
	BadRcptDelay  time.Duration
}

// limitsFor are the configured numbers, with what the client lines that hold the client say instead.
func limitsFor(c *config.Config, said allowlist.Limits) Limits {
	return Limits{
		BadRcpts:      said.CountOr(allowlist.BadRcpts, c.BadRcpts),
		BadPercent:    said.CountOr(allowlist.BadRcptsPercent, c.BadRcptsPercent),
		BadRcptsTotal: said.RateOr(allowlist.BadRcptsTotal, c.BadRcptsTotal),
		MaxRcpts:      said.CountOr(allowlist.MaxRcpts, c.MaxRcpts),
		MaxResets:     said.CountOr(allowlist.MaxResets, c.MaxResets),
		BadRcptDelay:  said.TimeOr(allowlist.BadRcptDelay, c.BadRcptDelay),
	}
}

// Decide is the decision about what the client has just asked for: the first test that applies decides. Undecided means
// that the MTA's own answer stands.
func (f *Facts) Decide() wrapper.Verdict {
	switch {
	case f.Blocked:
		return wrapper.Blocked
	case f.guesses():
		return wrapper.BadRcpts
	case f.Limits.MaxResets > 0 && f.Resets > f.Limits.MaxResets:
		return wrapper.Resets
	case f.Limits.MaxRcpts > 0 && f.Rcpts > f.Limits.MaxRcpts:
		return wrapper.MaxRcpts
	}
	return wrapper.Undecided
}

// guesses says whether these are a dictionary's recipients: too many bad ones, in this session or of this network, and
// too large a share of the session's.
func (f *Facts) guesses() bool {
	many := f.Limits.BadRcpts > 0 && f.Bad >= f.Limits.BadRcpts ||
		f.Limits.BadRcptsTotal.N > 0 && f.Total >= f.Limits.BadRcptsTotal.N
	return f.Bad > 0 && many && f.Bad*100 >= f.Limits.BadPercent*(f.Bad+f.Good)
}
