package config

import (
	"slices"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// directive is the first word of a line of sendwrap.conf, with its meaning. Values are spelled as
// in that file.
type directive struct {
	Name    string
	Args    string
	Range   string // units and bounds of Args; "" if Args says all
	Default string // "" if the directive can be repeated

	// Lenient is the value that a wrong line sets, if the default can be stricter than the line was
	// meant to be. "" is the default.
	Lenient   string
	lenientIf func(args []string) bool // only such lines; nil = all
	lenientBy []string                 // these directives become lenient instead

	// Of a directive that cannot be repeated:
	most     int                                  // arguments; 0 = any number
	observed policy.Observed                      // if observe is its last word; 0 = it cannot be
	set      func(c *Config, args []string) error // takes one argument or more; on error no change
	print    func(c *Config) string               // in a form that set reads

	// Of a directive that can be repeated:
	list  func(l *loader, w words, at rule.Source)
	lines func(c *Config) []string // in a form that list reads; nil = they are no settings
}

// directives lists all directives in the order of the manual.
var directives = slices.Concat(doorDirectives, limitDirectives, memoryDirectives, listDirectives,
	guardDirectives, shareDirectives, operationDirectives)

// doorDirectives are those of the MTA, the greet delay, networks and names.
var doorDirectives = []directive{{
	Name:    "mta",
	Args:    "PROGRAM ARG...",
	Range:   "PROGRAM is an absolute path",
	Default: "/usr/sbin/sendmail -Am -bs",
	set:     setMTA,
	print:   func(c *Config) string { return joinWords(c.MTA...) },
}, {
	Name:    "mta_stderr",
	Args:    "auto|client|syslog|null",
	Default: "auto",
	most:    1,
	set: func(c *Config, args []string) error {
		return choose(&c.MTAStderr, args[0])
	},
	print: func(c *Config) string { return c.MTAStderr.String() },
}, {
	Name:      "greet_delay",
	Args:      "DUR [stress=DUR]",
	Range:     "0s to 290s; stress 0s to the delay",
	Default:   "6s stress=2s",
	Lenient:   "0s",
	lenientIf: switchesOff,
	most:      2,
	set:       setGreetDelay,
	print: func(c *Config) string {
		return rule.FormatDuration(c.GreetDelay) +
			" stress=" + rule.FormatDuration(c.StressDelay)
	},
}, {
	Name:    "teaser",
	Args:    "TEXT",
	Range:   "printable ASCII, at most 400 bytes; off",
	Default: off,
	Lenient: off,
	set:     setTeaser,
	print:   printTeaser,
}, {
	Name:     "on_pregreet",
	Args:     "[reject|tempfail|drop] [observe]",
	Default:  "reject",
	Lenient:  "tempfail",
	observed: policy.OnPregreet,
	most:     1,
	set: func(c *Config, args []string) error {
		return choose(&c.OnPregreet, args[0])
	},
	print: func(c *Config) string { return c.OnPregreet.String() },
}, {
	Name:      "allow",
	Args:      "NETWORK|NAME...",
	lenientBy: refusals,
	list:      (*loader).allow,
}, {
	Name: "deny",
	Args: "NETWORK|NAME...",
	list: (*loader).deny,
}, {
	Name:    "on_denied",
	Args:    "close|talk",
	Default: "close",
	Lenient: "close",
	most:    1,
	set:     func(c *Config, args []string) error { return choose(&c.OnDenied, args[0]) },
	print:   func(c *Config) string { return c.OnDenied.String() },
}, {
	Name: "client",
	Args: "NETWORK|NAME KEY=VALUE...",
	Range: "greet_delay=DUR, client_rate=N/DUR, client_conns=N, bad_rcpts=N, " +
		"bad_rcpts_percent=P, bad_rcpts_total=N/DUR, " +
		"max_rcpts=N, max_resets=N, bad_rcpt_delay=DUR, as the directives; 0 is none; dnsbl=on|off",
	lenientBy: refusals,
	list:      (*loader).client,
}, {
	Name:      "access",
	Args:      "FILE",
	Range:     "off",
	Default:   off,
	lenientBy: refusals,
	most:      1,
	set:       setAccess,
	print:     printAccess,
}}
