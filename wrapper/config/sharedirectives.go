package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/spelling"
)

// sharing ends if it is unclear with whom or what to share.
var sharing = []string{"share_engine"}

// shareDirectives are those of several machines.
var shareDirectives = []directive{{
	Name: "share_engine",
	Args: "URL... [user=NAME] [password=FILE] [ca=FILE] [master=NAME]",
	Range: "URL is valkey://HOST[:PORT][/DB], valkeys://... with TLS, or unix:///PATH; " +
		"several are a Cluster, or with master= Sentinels; off",
	Default: off,
	Lenient: off,
	set:     setShareEngine,
	print:   printShareEngine,
}, {
	Name:    "share_name",
	Args:    "NAME",
	Range:   "letters, digits, dots, hyphens, underscores, at most 32; auto is the host name",
	Default: auto,
	most:    1,
	set:     setShareName,
	print: func(c *Config) string {
		if c.Share.Name == "" {
			return auto
		}
		return c.Share.Name
	},
}, {
	Name:    "share_prefix",
	Args:    "NAME",
	Range:   "as of share_name, at most 64",
	Default: "sendwrap",

	lenientBy: sharing,

	most: 1,
	set: func(c *Config, args []string) error {
		return setShareWord(&c.Share.Prefix, args[0], maxPrefix)
	},
	print: func(c *Config) string { return c.Share.Prefix },
}, {
	Name:    "share",
	Args:    "WHAT...",
	Range:   "WHAT is blocks, known or badrcpts",
	Default: "blocks known badrcpts",

	lenientBy: sharing,

	most:  len(sharedNames),
	set:   setShared,
	print: func(c *Config) string { return strings.Join(c.Share.What.names(), " ") },
}, {
	Name:    "share_from",
	Args:    "NAME...",
	Range:   "at most 124 machines; all",
	Default: "all",

	lenientBy: sharing,

	set:   setShareFrom,
	print: printShareFrom,
}, {
	Name:    "share_limit",
	Args:    "N/DUR",
	Range:   "1 to 100000 in 1s to 24h",
	Default: "1000/1m",
	most:    1,
	set:     func(c *Config, args []string) error { return setShareLimit(&c.Share.Limit, args[0]) },
	print: func(c *Config) string {
		return strconv.Itoa(c.Share.Limit.N) + "/" + rule.FormatDuration(c.Share.Limit.Per)
	},
}}

func setShareName(c *Config, args []string) error {
	if args[0] == auto {
		c.Share.Name = ""
		return nil
	}
	return setShareWord(&c.Share.Name, args[0], maxShareName)
}

func setShareWord(to *string, word string, most int) error {
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			r == '.' || r == '-' || r == '_')
	}
	switch {
	case len(word) > most:
		return newError("write at most "+strconv.Itoa(most)+" letters", "%s is too long",
			quoted(word))
	case word == "" || strings.ContainsFunc(word, bad):
		return newError("write letters, digits, dots, hyphens and underscores", "%s is no name",
			quoted(word))
	}
	*to = word
	return nil
}

func setShared(c *Config, args []string) error {
	var what Shared
	for _, word := range args {
		i := slices.Index(sharedNames, word)
		if i < 0 {
			if near := spelling.Nearest(word, sharedNames); near != "" {
				return newError("write "+near, "%s is unknown", quoted(word))
			}
			return newError("write blocks, known or badrcpts; to share nothing, share_engine off",
				"%s is unknown", quoted(word))
		}
		if what&(1<<i) != 0 {
			return newError("keep one", "%s is given twice", quoted(word))
		}
		what |= 1 << i
	}
	c.Share.What = what
	return nil
}

// names are the words for what is shared.
func (s Shared) names() (all []string) {
	for i, name := range sharedNames {
		if s>>i&1 == 1 {
			all = append(all, name)
		}
	}
	return all
}

func setShareFrom(c *Config, args []string) error {
	if len(args) == 1 && args[0] == "all" {
		c.Share.From = nil
		return nil
	}
	if len(args) > maxFrom {
		return newError("write fewer", "more than %d machines", maxFrom)
	}
	var from []string
	for _, word := range args {
		var name string
		if err := setShareWord(&name, word, maxShareName); err != nil {
			return err
		}
		if slices.Contains(from, name) {
			return newError("keep one", "%s is given twice", quoted(word))
		}
		from = append(from, name)
	}
	c.Share.From = from
	return nil
}

func printShareFrom(c *Config) string {
	if c.Share.From == nil {
		return "all"
	}
	return strings.Join(c.Share.From, " ")
}

func setShareLimit(to *rule.Rate, word string) error {
	var r rule.Rate
	if meansOff(word) || word == "0" {
		return newError("write a large one, such as 100000/1m", "%s is no limit", quoted(word))
	}
	if err := setRate(&r, word, maxSharing); err != nil {
		return err
	}
	if r.Per > 24*time.Hour {
		return outOfRange(word, "1/1s", "100000/24h")
	}
	*to = r
	return nil
}
