package config

import (
	"strconv"

	"sendwrap/wrapper/policy"
)

// listDirectives are those of lists of DNS.
var listDirectives = []directive{{
	Name:      "dnsbl",
	Args:      "ZONE[=FILTER][*WEIGHT]... [as=NAME] [url=URL]",
	Range:     "WEIGHT -1000 to 1000, 1 if left out; at most 16 of a zone, 32 zones, 64 in all",
	lenientBy: []string{"dnsbl_threshold"},
	list:      (*loader).dnsbl,
	lines:     printLists,
}, {
	Name:     "dnsbl_threshold",
	Args:     "N [observe]",
	observed: policy.DNSBLThreshold,
	Range:    "1 to 64000; 0 is none",
	Default:  "0",
	Lenient:  "0",
	most:     1,
	set: func(c *Config, args []string) error {
		return setCount(&c.DNSBLThreshold, args[0], 0, maxScore)
	},
	print: func(c *Config) string { return strconv.Itoa(c.DNSBLThreshold) },
}, {
	Name:    "dnsbl_welcome",
	Args:    "N",
	Range:   "-64000 to -1; 0 is none",
	Default: "0",
	most:    1,
	set:     setWelcome,
	print:   func(c *Config) string { return strconv.Itoa(c.DNSBLWelcome) },
}, {
	Name:    "dnsbl_ttl",
	Args:    "MIN MAX",
	Range:   "1s to 24h, MIN no longer than MAX",
	Default: "1m 1h",
	most:    2,
	set:     setListTTL,
	print:   func(c *Config) string { return c.DNSBLTTL.String() },
}, {
	Name:    "on_listed",
	Args:    "reject|tempfail|drop",
	Default: "reject",
	Lenient: "tempfail",
	most:    1,
	set:     func(c *Config, args []string) error { return choose(&c.OnListed, args[0]) },
	print:   func(c *Config) string { return c.OnListed.String() },
}, {
	Name:    "resolver",
	Args:    "ADDRESS[:PORT]...",
	Range:   "at most 8, PORT 1 to 65535, 53 if left out; auto is those of /etc/resolv.conf",
	Default: auto,
	set:     setResolvers,
	print:   printResolvers,
}}
