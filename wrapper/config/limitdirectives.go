package config

import (
	"strconv"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// limitDirectives are those of what one client gets, and all together.
var limitDirectives = []directive{{
	Name:     "client_rate",
	Args:     "N/DUR [observe]",
	observed: policy.ClientRate,
	Range:    "1 to 65535 in 1s to 24h; 0 is no limit",
	Default:  "0",
	Lenient:  "0",
	most:     1,
	set: func(c *Config, args []string) error {
		return setRate(&c.ClientRate, args[0], rule.MaxClientRate)
	},
	print: func(c *Config) string { return c.ClientRate.String() },
}, {
	Name:     "client_conns",
	Args:     "N [observe]",
	observed: policy.ClientConns,
	Range:    "1 to 100000; 0 is no limit",
	Default:  "50",
	Lenient:  "0",
	most:     1,
	set: func(c *Config, args []string) error {
		return setCount(&c.ClientConns, args[0], 0, rule.MaxClientConns)
	},
	print: func(c *Config) string { return strconv.Itoa(c.ClientConns) },
}, {
	Name:    "max_sessions",
	Args:    "N",
	Range:   "1 to 100000",
	Default: "300",
	most:    1,
	set: func(c *Config, args []string) error {
		return setCount(&c.MaxSessions, args[0], 1, policy.MaxSessions)
	},
	print: func(c *Config) string { return strconv.Itoa(c.MaxSessions) },
}, {
	Name:    "reserve",
	Args:    "N%",
	Range:   "0% to 90%; 0% is none",
	Default: "20%",
	Lenient: "0%",
	most:    1,
	set:     setReserve,
	print:   func(c *Config) string { return strconv.Itoa(c.Reserve) + "%" },
}, {
	Name:    "max_idle",
	Args:    "DUR",
	Range:   "1s to 24h; 0 is never",
	Default: "1m",
	Lenient: "0s",
	most:    1,
	set:     func(c *Config, args []string) error { return setIdle(&c.MaxIdle, args[0]) },
	print:   func(c *Config) string { return rule.FormatDuration(c.MaxIdle) },
}, {
	Name:    "max_waiting",
	Args:    "N [room=N]",
	Range:   "1 to 1000000; room is N if it is left out",
	Default: "1000 room=20000",
	most:    2,
	set:     setMaxWaiting,
	print: func(c *Config) string {
		return strconv.Itoa(c.MaxWaiting) + " room=" + strconv.Itoa(c.RoomWaiting)
	},
}, {
	Name:    "spawn_rate",
	Args:    "N",
	Range:   "1 to 10000",
	Default: "100",
	most:    1,
	set: func(c *Config, args []string) error {
		return setCount(&c.SpawnRate, args[0], 1, maxSpawnRate)
	},
	print: func(c *Config) string { return strconv.Itoa(c.SpawnRate) },
}, {
	Name:    "room_idle",
	Args:    "DUR",
	Range:   "1s to 24h; 0 is never",
	Default: "10m",
	most:    1,
	set:     func(c *Config, args []string) error { return setIdle(&c.RoomIdle, args[0]) },
	print:   func(c *Config) string { return rule.FormatDuration(c.RoomIdle) },
}, {
	Name:    "refuse_load",
	Args:    "X",
	Range:   "0 to 10000; 0 is off",
	Default: "0",
	Lenient: "0",
	most:    1,
	set:     setRefuseLoad,
	print:   func(c *Config) string { return strconv.FormatFloat(c.RefuseLoad, 'g', -1, 64) },
}, {
	Name:    "count_by",
	Args:    "V4BITS V6BITS",
	Range:   "8 to 32 bits and 16 to 128 bits",
	Default: "32 64",
	most:    2,
	set:     setCountBy,
	print:   func(c *Config) string { return c.CountBy.String() },
}, {
	Name: "wide",
	Args: "V4BITS V6BITS KEY=VALUE... [observe]",
	Range: "client_rate=N/DUR, client_conns=N, bad_rcpts_total=N/DUR, strikes=N; " +
		"8 to 31 bits and 16 to 127 bits; at most 2 lines",
	list:  (*loader).wide,
	lines: printWide,
}, {
	Name:    "nat64",
	Args:    "PREFIX...",
	Range:   "/32, /40, /48, /56, /64 or /96, at most 16, with 64:ff9b::/96, which always counts",
	Default: "64:ff9b::/96",
	set:     setNAT64,
	print:   printNAT64,
}}
