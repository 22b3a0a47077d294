package config

import (
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// memoryDirectives are those of known clients, strikes and blocks.
var memoryDirectives = []directive{{
	Name:    "remember",
	Args:    "DUR",
	Range:   "0s to 31d; 0 is never",
	Default: "24h",
	most:    1,
	set: func(c *Config, args []string) error {
		return setDuration(&c.Remember, args[0], 0, maxRemember)
	},
	print: func(c *Config) string { return rule.FormatDuration(c.Remember) },
}, {
	Name:    "remember_after",
	Args:    "wait|mail",
	Default: "wait",
	most:    1,
	set: func(c *Config, args []string) error {
		return choose(&c.RememberAfter, args[0])
	},
	print: func(c *Config) string { return c.RememberAfter.String() },
}, {
	Name:    "remember_hangups",
	Args:    "N/DUR",
	Range:   "1 to 15 in 1m to 24h; off",
	Default: "3/1h",
	most:    1,
	set:     func(c *Config, args []string) error { return setHangups(&c.Hangups, args[0]) },
	print:   printHangups,
}, {
	Name:     "block",
	Args:     "strikes=N within=DUR for=DUR max=DUR kill=on|off grace=DUR max_entries=N [observe]",
	observed: policy.Blocks,
	Range: "strikes 1 to 8, within 1s to 24h, for and max 1s to 31d, for no longer than max, " +
		"grace 0s to 60s, max_entries 1 to 1000000; off",
	Default: "strikes=3 within=10m for=1h max=24h kill=on grace=2s max_entries=10000",
	Lenient: "off kill=off",
	most:    8,
	set:     setBlock,
	print:   printBlock,
}, {
	Name:    "strikes_by_kind",
	Args:    "KIND=N...",
	Range:   "KIND is ehlo, pipelined, tls, http, proxy or other; 0 to 8",
	Default: "ehlo=1 pipelined=1 tls=0 http=0 proxy=0 other=1",
	Lenient: "ehlo=0 pipelined=0 tls=0 http=0 proxy=0 other=0",
	most:    int(policy.Kinds),
	set:     setStrikesByKind,
	print:   func(c *Config) string { return c.KindStrikes.String() },
}, {
	Name:    "on_block",
	Args:    "PROGRAM ARG...",
	Range:   "PROGRAM is an absolute path; off",
	Default: off,
	Lenient: off,
	set:     setOnBlock,
	print:   printOnBlock,
}}
