package admin

import (
	"fmt"
	"os"
	"slices"

	"sendwrap/wrapper/config"
)

// listNotes say what is seldom meant about lists of DNS. They never show a zone that has a name.
func listNotes(c *config.Config) (notes []string) {
	note := func(at, format string, args ...any) {
		notes = append(notes, at+": "+fmt.Sprintf(format, args...))
	}
	least, most := scoreBounds(c)
	switch threshold := c.DNSBLThreshold; {
	case len(c.Lists) == 0 && (threshold > 0 || c.DNSBLWelcome < 0):
		directive := "dnsbl_threshold"
		if threshold == 0 {
			directive = "dnsbl_welcome"
		}
		note(c.Place(directive), "%s: there is no list that gives a score; write a dnsbl line",
			directive)
		return notes
	case len(c.Lists) == 0:
		return nil
	case threshold > most:
		note(c.Place("dnsbl_threshold"), "dnsbl_threshold: no client is refused, since all "+
			"weights above 0 make %d; write that or less", most)
	case threshold == 0 && c.DNSBLWelcome == 0:
		note(c.Place("dnsbl"), "dnsbl: lists are only asked and logged; "+
			"write dnsbl_threshold if they are to refuse clients")
	}
	if welcome := c.DNSBLWelcome; welcome < least {
		note(c.Place("dnsbl_welcome"), "dnsbl_welcome: no client is welcomed, since all weights "+
			"below 0 make %d; write that or more, but below 0", least)
	}
	if c.GreetDelay == 0 {
		note(c.Place("greet_delay"), "greet_delay: lists are not asked about clients that need "+
			"not wait; write some seconds")
	}
	return append(append(notes, praiseNotes(c)...), keyNotes(c)...)
}

// scoreBounds are the least and the most that the weights of all lists can add up to.
func scoreBounds(c *config.Config) (least, most int) {
	for i := range c.Lists {
		low, high := c.Lists[i].Bounds()
		least, most = least+low, most+high
	}
	return least, most
}

// praiseNotes name allow lists any answer of which is praise.
func praiseNotes(c *config.Config) (notes []string) {
	for i, list := range c.Lists {
		for _, site := range list.Sites {
			if site.Weight < 0 && site.Filter == "" {
				notes = append(notes, fmt.Sprintf("%s: dnsbl: %s has a weight below 0 and no "+
					"filter, so that each answer welcomes, also one by which it refuses to "+
					"answer; write a filter, like 127.0.[0..255].[1..3]",
					c.ListPlace(i), list.Name))
				break
			}
		}
	}
	return notes
}

// keyNotes name files with the key of a list that other users can read.
func keyNotes(c *config.Config) (notes []string) {
	var seen []string
	for _, at := range c.Keyed() {
		if slices.Contains(seen, at.File) {
			continue
		}
		seen = append(seen, at.File)
		if info, err := os.Stat(at.File); err == nil && info.Mode()&0o044 != 0 {
			notes = append(notes, fmt.Sprintf("%v: dnsbl: holds the key of a list, by as=, and "+
				"mode %04o lets others read it; chmod go-r it", at, info.Mode().Perm()))
		}
	}
	return notes
}
