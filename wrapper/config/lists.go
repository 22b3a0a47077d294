package config

import (
	"slices"
	"strings"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
)

const (
	maxLists     = 32
	maxListSites = 16 // of one list
	maxSites     = 64
	maxScore     = maxSites * dnsbl.MaxWeight
	maxListName  = 63  // bytes
	maxListURL   = 200 // bytes
)

// listPlaces are the lines that dnsbl directives are on.
type listPlaces struct {
	of    []listPlace   // of each list of the settings
	keyed []rule.Source // all lines with as=
}

// listPlace is where a list was named first, and where it got its name and URL; Line 0 = nowhere.
type listPlace struct{ first, as, url rule.Source }

// ListPlace is the first line about a list, by its index in the settings.
func (c *Config) ListPlace(i int) rule.Source { return c.listPlaces.of[i].first }

// Keyed are the lines with as=: their zones may hold the key of an account.
func (c *Config) Keyed() []rule.Source { return c.listPlaces.keyed }

// siteLine is what a dnsbl line says. No error about it shows a zone, which may hold a key.
type siteLine struct {
	sites   []string // as written
	options pairs
	as, url string
}

// dnsbl takes the right sites of a line even if others are wrong: a list that is not asked refuses
// nobody. If it could have praised a client, nobody is refused by the score.
func (l *loader) dnsbl(w words, at rule.Source) {
	if i := l.index("dnsbl"); l.setAt[i].Line == 0 {
		l.setAt[i] = at
	}
	w.secret = true
	line := siteLine{options: pairs{known: []string{"as", "url"}}}
	err := line.read(&w)
	if line.as != "" {
		l.config.listPlaces.keyed = append(l.config.listPlaces.keyed, at)
	}
	if err != nil {
		l.rejectSites(at, err, w.err != nil, line.sites...)
		return
	}
	zones, sites := l.parseSites(&line, at)
	if err := l.checkNames(&line, zones); err != nil {
		l.rejectSites(at, err, false, line.sites...)
		return
	}
	for i, zone := range zones {
		if err := l.addSite(zone, sites[i], at); err != nil {
			l.rejectSites(at, err, false, sites[i].String(zone))
		}
	}
	l.setNames(&line, zones, at)
}

// read splits the line into sites and options. Blanks and commas separate sites, as in main.cf.
func (s *siteLine) read(w *words) error {
	for w.next() {
		if err := s.word(w.word); err != nil {
			return err
		}
	}
	switch {
	case w.err != nil:
		return w.err
	case len(s.sites) == 0:
		return newError("write dnsbl ZONE[=FILTER][*WEIGHT]... [as=NAME] [url=URL]", "no zone")
	case s.sites[0] == "=":
		return newError("leave out the =", "= before the value")
	}
	return nil
}

// word notes sites or an option.
func (s *siteLine) word(word string) error {
	name, value, assigned := strings.Cut(word, "=")
	switch known := slices.Contains(s.options.known, name); {
	case known && value == "":
		return newError("write as=NAME or url=URL, without blanks", "%s without a value", name)
	case !known && assigned && isOption(name, value):
		_, _, err := s.options.split(word)
		return err
	case !known:
		sites := strings.FieldsFunc(word, func(r rune) bool { return r == ',' })
		s.sites = append(s.sites, sites...)
		return nil
	}
	key, value, err := s.options.split(word)
	if err == nil && key == "as" {
		s.as, err = value, checkListName(value)
	} else if err == nil {
		s.url, err = value, checkListURL(value)
	}
	if key == "" {
		return err
	}
	return prefixError(key, err)
}

// isOption reports whether NAME=VALUE is rather a misspelled option than a zone with its filter. If
// it was as=, the zone beside it must not be asked under its own name.
func isOption(name, value string) bool {
	first := value[:min(len(value), 1)]
	return !strings.Contains(name, ".") && strings.Trim(first, "[0123456789*") != ""
}

// parseSites returns the zones and sites that are right.
func (l *loader) parseSites(line *siteLine, at rule.Source) (zones []string, sites []dnsbl.Site) {
	for i, text := range line.sites {
		zone, site, err := dnsbl.ParseSite(text)
		if err == nil {
			zones, sites = append(zones, zone), append(sites, site)
			continue
		}
		e := fromAllowlist(err)
		if len(line.sites) > 1 {
			e = newError(e.Hint, "site %d: %s", i+1, e.Msg)
		}
		l.rejectSites(at, e, false, text)
	}
	return zones, sites
}

// rejectSites notes an error that keeps sites from being asked. If one of them may have a weight
// below 0, or it is unclear what the line says, no client is refused by its score: such a list
// would have lowered it.
func (l *loader) rejectSites(at rule.Source, err error, unclear bool, sites ...string) {
	directive := -1
	if unclear || slices.ContainsFunc(sites, mayPraise) {
		directive = l.index("dnsbl")
	}
	l.reject(at, prefixError("dnsbl", err), directive, nil)
}

// mayPraise reports whether the weight of a site is below 0, or can mean that.
func mayPraise(site string) bool {
	_, weight, weighted := strings.Cut(site, "*")
	return weighted && (weight == "" || strings.Trim(weight, "0123456789") != "")
}

// addSite adds a site to the list of its zone.
func (l *loader) addSite(zone string, s dnsbl.Site, at rule.Source) error {
	c := l.config
	all := 0
	for i := range c.Lists {
		all += len(c.Lists[i].Sites)
	}
	i := c.list(zone)
	switch {
	case all == maxSites:
		return newError("write fewer", "more than %d sites", maxSites)
	case i >= 0 && len(c.Lists[i].Sites) == maxListSites:
		return newError("write fewer", "more than %d sites of one zone", maxListSites)
	case i < 0 && len(c.Lists) == maxLists:
		return newError("write fewer", "more than %d zones", maxLists)
	case i < 0:
		i = len(c.Lists)
		c.Lists = append(c.Lists, dnsbl.List{Zone: zone, Name: zone})
		c.listPlaces.of = append(c.listPlaces.of, listPlace{first: at})
	}
	c.Lists[i].Sites = append(c.Lists[i].Sites, s)
	return nil
}

// list is the index of the list of that zone, -1 if there is none.
func (c *Config) list(zone string) int {
	return slices.IndexFunc(c.Lists, func(l dnsbl.List) bool { return l.Zone == zone })
}

func printLists(c *Config) (lines []string) {
	for _, list := range c.Lists {
		var words []string
		for _, site := range list.Sites {
			words = append(words, site.String(list.Zone))
		}
		if list.Name != list.Zone {
			words = append(words, "as="+list.Name)
		}
		if list.URL != "" {
			words = append(words, "url="+list.URL)
		}
		lines = append(lines, joinWords(words...))
	}
	return lines
}
