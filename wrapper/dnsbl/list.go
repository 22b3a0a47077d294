// Package dnsbl is what DNS block and allow lists say about an address, and the score to which
// their weights add up. It is pure: package lookup asks, and package ledger remembers.
//
// The rules are those of Postfix' postscreen (postconf(5), postscreen_dnsbl_sites), so that its
// lines can be used as they are.
package dnsbl

// Error says what is wrong with a site, and what to write instead. It never repeats the zone.
type Error struct{ Msg, Hint string }

func (e *Error) Error() string { return e.Msg + "; " + e.Hint }

// List is one list: all that the configuration says about one zone.
type List struct {
	Zone  string // in lower case, without a dot at the end; it may hold an account's key
	Name  string // what people read in its place: that of as=, or the zone
	URL   string // for the reply to the client; "" = none
	Sites []Site // in the order of the configuration
}

// Site is one ZONE[=FILTER][*WEIGHT].
type Site struct {
	Filter string // as written; "" fits any address
	Weight int    // -1000 to 1000
}
