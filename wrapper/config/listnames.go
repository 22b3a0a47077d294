package config

import (
	"slices"
	"strings"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
)

// checkNames says why the line cannot name the list of these zones.
func (l *loader) checkNames(line *siteLine, zones []string) error {
	if line.options.given == 0 {
		return l.checkZonesAreNoNames(zones)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(zones)))) > 1 {
		return newError("write a line for each zone", "as= or url= with sites of several zones")
	}
	if len(zones) == 0 {
		return nil
	}
	i := l.config.list(zones[0])
	for k, other := range l.config.Lists {
		if line.as != "" && k != i && other.Name == line.as {
			return newError("write another", "as=%s is the name of the list at %s", line.as,
				l.config.ListPlace(k))
		}
	}
	if i < 0 {
		return nil
	}
	list, place := &l.config.Lists[i], &l.config.listPlaces.of[i]
	switch {
	case line.as != "" && place.as.Line > 0 && list.Name != line.as:
		return newError("write as="+list.Name, "as=%s, and another name at %s", line.as, place.as)
	case line.url != "" && place.url.Line > 0 && list.URL != line.url:
		return newError("write url="+list.URL, "another URL at %s", place.url)
	}
	return nil
}

// checkZonesAreNoNames refuses a zone that another list has as its name.
func (l *loader) checkZonesAreNoNames(zones []string) error {
	for i, list := range l.config.Lists {
		if list.Name != list.Zone && slices.Contains(zones, list.Name) {
			return newError("write another there", "the zone is the name of the list at %s, by as=",
				l.config.listPlaces.of[i].as)
		}
	}
	return nil
}

// setNames gives the list of these zones, which are all the same, the name and URL of the line.
func (l *loader) setNames(line *siteLine, zones []string, at rule.Source) {
	if len(zones) == 0 {
		return
	}
	i := l.config.list(zones[0])
	if i < 0 {
		return
	}
	list, place := &l.config.Lists[i], &l.config.listPlaces.of[i]
	if line.as != "" {
		list.Name = line.as
		place.as = firstPlace(place.as, at)
	}
	if line.url != "" {
		list.URL = line.url
		place.url = firstPlace(place.url, at)
	}
}

func firstPlace(first, at rule.Source) rule.Source {
	if first.Line > 0 {
		return first
	}
	return at
}

func checkListName(name string) error {
	switch {
	case name == "":
		return newError("write as=NAME", "no name")
	case len(name) > maxListName:
		return newError("write at most 63", "%d bytes", len(name))
	case strings.ContainsFunc(name, isOutsideListName):
		return newError("write letters, digits, hyphens, underscores and dots",
			"%s has other characters", quoted(name))
	}
	return nil
}

func isOutsideListName(r rune) bool { return isOutsideLabel(r) && r != '_' && r != '.' }

func checkListURL(url string) error {
	const hint = "write http://... or https://..."
	host, found := strings.CutPrefix(url, "https://")
	if !found {
		host, found = strings.CutPrefix(url, "http://")
	}
	switch {
	case !found:
		return newError(hint, "%s is not a URL", quoted(url))
	case host == "" || host[0] == '/':
		return newError(hint, "no host in %s", quoted(url))
	case len(url) > maxListURL:
		return newError("write at most 200", "%d bytes", len(url))
	case strings.ContainsFunc(url, func(r rune) bool { return r <= ' ' || r > '~' }):
		return newError("write printable ASCII without blanks", "%s has other characters",
			quoted(url))
	}
	return nil
}

// unknownList is the error for a line that is likely one of dnsbl, though its first word is not.
func unknownList(line string) *Error {
	switch first := strings.ToLower(strings.TrimLeft(line, " \t\"")); {
	case strings.HasPrefix(first, "postscreen_dnsbl_sites"):
		return newError("write dnsbl and behind it the sites, without the =",
			"postscreen_dnsbl_sites is the name in Postfix")
	case strings.HasPrefix(first, "dnsbl"):
		return newError("write a plain blank behind dnsbl, and nothing else",
			"the first word is not dnsbl")
	case strings.Contains(first, "dnsbl"):
		return newError("did you mean dnsbl?", "unknown directive")
	case isSite(firstWord(line)) && !strings.ContainsAny(line, "=*"):
		return newError("write dnsbl, allow, deny or client before it", "a name stands alone")
	}
	return newError("write dnsbl before it", "a zone stands alone")
}

// namesList reports whether a line that cannot be read is likely one of dnsbl: the zones on it may
// hold keys, so that no error shows its words.
func namesList(line string) bool {
	line = strings.ToLower(line)
	return strings.Contains(line, "dnsbl") || strings.Contains(line, " as=") ||
		strings.Contains(line, "\tas=") || isSite(firstWord(line))
}

// firstWord is that of a line on which commas may separate words, too.
func firstWord(line string) string {
	line = strings.TrimLeft(line, " \t\"")
	if end := strings.IndexAny(line, " \t\","); end >= 0 {
		return line[:end]
	}
	return line
}

func isSite(word string) bool {
	_, _, err := dnsbl.ParseSite(word)
	return err == nil && strings.Contains(word, ".")
}
