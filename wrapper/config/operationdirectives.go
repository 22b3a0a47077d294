package config

import (
	"strconv"
)

// operationDirectives are all others.
var operationDirectives = []directive{{
	Name:    "mode",
	Args:    "enforce|observe",
	Default: "enforce",
	Lenient: "observe",
	most:    1,
	set:     func(c *Config, args []string) error { return choose(&c.Mode, args[0]) },
	print:   func(c *Config) string { return c.Mode.String() },
}, {
	Name:    "hostname",
	Args:    "NAME",
	Range:   "a name with its domain, at most 128 bytes; auto is the machine's own",
	Default: auto,
	most:    1,
	set:     setHostname,
	print:   printHostname,
}, {
	Name:    "contact",
	Args:    "TEXT",
	Range:   "printable ASCII, at most 200 bytes; off",
	Default: off,
	set:     setContact,
	print:   printContact,
}, {
	Name:    "ledger",
	Args:    "PATH [clients=N]",
	Range:   "PATH is absolute; clients 1024 to 16777216",
	Default: "/var/lib/sendwrap/ledger clients=65536",
	most:    2,
	set:     setLedger,
	print: func(c *Config) string {
		return joinWords(c.Ledger.Path) + " clients=" + strconv.Itoa(c.Ledger.Clients)
	},
}, {
	Name:    "log",
	Args:    "syslog|stderr|none",
	Default: "syslog",
	most:    1,
	set:     func(c *Config, args []string) error { return choose(&c.Log, args[0]) },
	print:   func(c *Config) string { return c.Log.String() },
}, {
	Name:      "include",
	Args:      "FILE",
	Range:     "at most 16 nested files, each once",
	lenientBy: refusals,
	list:      (*loader).include,
}}
