package allowlist

import "time"

// Key is a limit that a network may have of its own.
type Key uint8

const (
	GreetDelay      Key = iota // a time
	ClientRate                 // a rate
	ClientConns                // a count
	BadRcpts                   // a count
	BadRcptsPercent            // a count
	BadRcptsTotal              // a rate
	MaxRcpts                   // a count
	MaxResets                  // a count
	BadRcptDelay               // a time

	keys // how many there are
)

var keyNames = [keys]string{
	GreetDelay:      "greet_delay",
	ClientRate:      "client_rate",
	ClientConns:     "client_conns",
	BadRcpts:        "bad_rcpts",
	BadRcptsPercent: "bad_rcpts_percent",
	BadRcptsTotal:   "bad_rcpts_total",
	MaxRcpts:        "max_rcpts",
	MaxResets:       "max_resets",
	BadRcptDelay:    "bad_rcpt_delay",
}

// String is the name of the directive that sets the limit for everyone.
func (k Key) String() string {
	if k >= keys {
		return "invalid"
	}
	return keyNames[k]
}

// Limits are the limits of a network's own, by [Key]. Where one says nothing, that of the
// next shorter network holds, and at last that of the configuration: what the methods
// named Or take. To say 0 is to say something. Limits can be compared with ==.
//
// A key is set and read as what it is, a count, a time or a rate.
type Limits struct {
	said   [keys]bool
	values [keys]Rate // a count is an N, a time a Per: no pointers, so that Limits stay on the stack
}

// SetCount says a limit that is a count.
func (l *Limits) SetCount(k Key, n int) { l.SetRate(k, Rate{N: n}) }

// SetTime says a limit that is a time.
func (l *Limits) SetTime(k Key, d time.Duration) { l.SetRate(k, Rate{Per: d}) }

// SetRate says a limit that is a rate.
func (l *Limits) SetRate(k Key, r Rate) { l.said[k], l.values[k] = true, r }

// Forget takes back what was said about k.
func (l *Limits) Forget(k Key) { l.said[k], l.values[k] = false, Rate{} }

// Says tells whether something was said about k.
func (l Limits) Says(k Key) bool { return l.said[k] }

// CountOr is the count that was said, or the one given.
func (l Limits) CountOr(k Key, otherwise int) int { return l.RateOr(k, Rate{N: otherwise}).N }

// TimeOr is the time that was said, or the one given.
func (l Limits) TimeOr(k Key, otherwise time.Duration) time.Duration {
	return l.RateOr(k, Rate{Per: otherwise}).Per
}

// RateOr is the rate that was said, or the one given.
func (l Limits) RateOr(k Key, otherwise Rate) Rate {
	if l.said[k] {
		return l.values[k]
	}
	return otherwise
}

// under lays the limits of a longer network over l.
func (l Limits) under(longer Limits) Limits {
	for k := range keys {
		if longer.said[k] {
			l.SetRate(k, longer.values[k])
		}
	}
	return l
}

// contradicts finds the first key for which l and other say different things.
func (l Limits) contradicts(other Limits) (k Key, found bool) {
	for k := range keys {
		if l.said[k] && other.said[k] && l.values[k] != other.values[k] {
			return k, true
		}
	}
	return 0, false
}
