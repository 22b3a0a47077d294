package rule

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
	DNSBL                      // a count: 0 = lists are not asked about clients of the network

	// From here on: what holds in place of the limits of wide networks; see [Key.Wide].
	wideKeys

	Keys = wideKeys + MaxWide*wides // how many there are
)

// The largest limits.
const (
	// MaxGreetDelay is the longest greet delay. A client must allow 5 minutes for the first line of
	// the greeting (RFC 5321 §4.5.3.2.1); the other ten seconds are for the network and the MTA.
	MaxGreetDelay = 290 * time.Second

	MaxClientRate  = 65535 // arrivals; the ledger counts no further
	MaxClientConns = 100_000
)

// MaxWide is for how many wide networks a limit can be overridden; wides is the number of limits
// that wide networks have.
const MaxWide, wides = 2, 3

// Wide is the key under which a limit that a network sets, as wide as the n-th wide network around
// the client or wider, is kept in place of that one's. ok is false if wide networks have no such
// limit.
func (k Key) Wide(n int) (wide Key, ok bool) {
	at := Key(n) * wides
	switch k {
	case ClientRate:
		return wideKeys + at, true
	case ClientConns:
		return wideKeys + at + 1, true
	case BadRcptsTotal:
		return wideKeys + at + 2, true
	}
	return k, false
}

var keyNames = [Keys]string{
	GreetDelay:      "greet_delay",
	ClientRate:      "client_rate",
	ClientConns:     "client_conns",
	BadRcpts:        "bad_rcpts",
	BadRcptsPercent: "bad_rcpts_percent",
	BadRcptsTotal:   "bad_rcpts_total",
	MaxRcpts:        "max_rcpts",
	MaxResets:       "max_resets",
	BadRcptDelay:    "bad_rcpt_delay",
	DNSBL:           "dnsbl",

	wideKeys: "wide 1 client_rate", "wide 1 client_conns", "wide 1 bad_rcpts_total",
	"wide 2 client_rate", "wide 2 client_conns", "wide 2 bad_rcpts_total",
}

// String is the name of the directive that sets the limit for everyone.
func (k Key) String() string {
	if k >= Keys {
		return "invalid"
	}
	return keyNames[k]
}

// Limits are limits that a network has of its own, by [Key]. A limit that is not set comes from the
// next shorter network that sets it, or else from the caller: that is the fallback of the methods
// named Or. A limit of 0 is set. Limits can be compared with ==.
//
// A key is set and read as what it is: a count, a time or a rate.
type Limits struct {
	set    [Keys]bool
	values [Keys]Rate // N is a count, Per a time: without pointers, Limits stay on the stack
}

// SetCount sets a limit that is a count.
func (l *Limits) SetCount(k Key, n int) { l.SetRate(k, Rate{N: n}) }

// SetTime sets a limit that is a time.
func (l *Limits) SetTime(k Key, d time.Duration) { l.SetRate(k, Rate{Per: d}) }

// SetRate sets a limit that is a rate.
func (l *Limits) SetRate(k Key, r Rate) { l.set[k], l.values[k] = true, r }

// Clear undoes the setting of a limit.
func (l *Limits) Clear(k Key) { l.set[k], l.values[k] = false, Rate{} }

// IsSet reports whether a limit is set.
func (l Limits) IsSet(k Key) bool { return l.set[k] }

// CountOr returns the count that is set, or else fallback.
func (l Limits) CountOr(k Key, fallback int) int { return l.RateOr(k, Rate{N: fallback}).N }

// TimeOr returns the time that is set, or else fallback.
func (l Limits) TimeOr(k Key, fallback time.Duration) time.Duration {
	return l.RateOr(k, Rate{Per: fallback}).Per
}

// RateOr returns the rate that is set, or else fallback.
func (l Limits) RateOr(k Key, fallback Rate) Rate {
	if l.set[k] {
		return l.values[k]
	}
	return fallback
}

// OverriddenBy returns l with the limits of a longer network in place of its own.
func (l Limits) OverriddenBy(longer Limits) Limits {
	for k := range Keys {
		if longer.set[k] {
			l.SetRate(k, longer.values[k])
		}
	}
	return l
}

// Widened returns l with what it sets for the wide networks that the network holds, or is: wide[n]
// says whether it holds the n-th around each of its clients.
func (l Limits) Widened(wide [MaxWide]bool) Limits {
	for n, holds := range wide {
		for k := range wideKeys {
			if w, ok := k.Wide(n); ok && holds && l.set[k] {
				l.SetRate(w, l.values[k])
			}
		}
	}
	return l
}

// Contradicts finds the first key that l and other set to different values.
func (l Limits) Contradicts(other Limits) (k Key, found bool) {
	for k := range Keys {
		if l.set[k] && other.set[k] && l.values[k] != other.values[k] {
			return k, true
		}
	}
	return 0, false
}
