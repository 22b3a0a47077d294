package dnsbl

import (
	"strconv"
	"strings"
)

// MaxWeight is the largest weight of a site, and its negative the smallest.
const MaxWeight = 1000

// MaxZone is how long a zone can be, so that the name asked about an IPv6 address is one still
// (RFC 1035 §2.3.4, without the dot at the end).
const MaxZone = 253 - reversedIPv6

// ParseSite reads ZONE[=FILTER][*WEIGHT], as postscreen does: what follows the first * is the
// weight, and of the rest what follows the first = is the filter. The zone is as in [List].
func ParseSite(text string) (zone string, s Site, err error) {
	rest, weight, weighted := strings.Cut(text, "*")
	zone, filter, filtered := strings.Cut(rest, "=")
	if zone, err = ParseZone(zone); err != nil {
		return "", Site{}, err
	}
	s = Site{Filter: filter, Weight: 1}
	if filtered {
		if err := CheckFilter(filter); err != nil {
			return "", Site{}, err
		}
	}
	if weighted {
		if s.Weight, err = parseWeight(weight); err != nil {
			return "", Site{}, err
		}
	}
	return zone, s, nil
}

// String is the spelling of sendwrap.conf, for a site of that zone.
func (s Site) String(zone string) string {
	if s.Filter != "" {
		zone += "=" + s.Filter
	}
	if s.Weight != 1 {
		zone += "*" + strconv.Itoa(s.Weight)
	}
	return zone
}

func parseWeight(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < -MaxWeight || n > MaxWeight {
		return 0, &Error{"bad weight " + strconv.Quote(text),
			"write a whole number from -1000 to 1000, like *2 or *-2"}
	}
	return n, nil
}

// ParseZone checks the name of a zone. It returns the name in lower case and without a dot at its
// end. An error does not repeat the zone, which may hold a key.
func ParseZone(text string) (string, error) {
	zone := strings.ToLower(strings.TrimSuffix(text, "."))
	if zone == "" {
		return "", &Error{"the zone is missing", "write its name" + example}
	}
	if len(zone) > MaxZone {
		return "", &Error{"the zone has " + strconv.Itoa(len(zone)) + " bytes",
			"write at most " + strconv.Itoa(MaxZone)}
	}
	last := ""
	for last = range strings.SplitSeq(zone, ".") {
		if err := checkLabel(last); err != nil {
			return "", err
		}
	}
	if strings.Trim(last, "0123456789") == "" {
		return "", &Error{"the zone ends in a number, like an address",
			"write the name of a list" + example}
	}
	return zone, nil
}

const example = ", like zen.spamhaus.org"

// checkLabel checks what stands between two dots of a zone (RFC 1035 §2.3.1, and the underscore).
func checkLabel(label string) error {
	switch {
	case label == "":
		return &Error{"the zone has nothing between two dots, or before the first",
			"write a name" + example}
	case len(label) > 63:
		return &Error{"the zone has " + strconv.Itoa(len(label)) + " bytes without a dot",
			"write at most 63"}
	case label[0] == '-' || label[len(label)-1] == '-':
		return &Error{"the zone has a hyphen beside a dot, or at an end", "write it without"}
	}
	for _, r := range label {
		if !isNameByte(r) {
			return &Error{"the zone has " + strconv.QuoteRune(r),
				"write letters, digits, hyphens, underscores and dots" + example}
		}
	}
	return nil
}

// isNameByte reports whether the zone, in lower case, may have it.
func isNameByte(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}
