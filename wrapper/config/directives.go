package config

import (
	"strconv"

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
	most  int                                  // arguments; 0 = any number
	set   func(c *Config, args []string) error // takes one argument or more; on error no change
	print func(c *Config) string               // in a form that set reads

	// Of a directive that can be repeated:
	list  func(l *loader, w words, at rule.Source)
	lines func(c *Config) []string // in a form that list reads; nil = they are no settings
}

// directives lists all directives in the order of the manual.
var directives = []directive{{
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
	Name:    "on_pregreet",
	Args:    "reject|tempfail|drop",
	Default: "reject",
	Lenient: "tempfail",
	most:    1,
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
	Name:    "client_rate",
	Args:    "N/DUR",
	Range:   "1 to 65535 in 1s to 24h; 0 is no limit",
	Default: "0",
	Lenient: "0",
	most:    1,
	set: func(c *Config, args []string) error {
		return setRate(&c.ClientRate, args[0], maxRate)
	},
	print: func(c *Config) string { return c.ClientRate.String() },
}, {
	Name:    "client_conns",
	Args:    "N",
	Range:   "1 to 100000; 0 is no limit",
	Default: "50",
	Lenient: "0",
	most:    1,
	set: func(c *Config, args []string) error {
		return setCount(&c.ClientConns, args[0], 0, maxConns)
	},
	print: func(c *Config) string { return strconv.Itoa(c.ClientConns) },
}, {
	Name:    "max_sessions",
	Args:    "N",
	Range:   "1 to 100000",
	Default: "300",
	most:    1,
	set: func(c *Config, args []string) error {
		return setCount(&c.MaxSessions, args[0], 1, maxSessions)
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
	Name:    "nat64",
	Args:    "PREFIX...",
	Range:   "/32, /40, /48, /56, /64 or /96, at most 16, with 64:ff9b::/96, which always counts",
	Default: "64:ff9b::/96",
	set:     setNAT64,
	print:   printNAT64,
}, {
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
	Name:    "remember_hangups",
	Args:    "N/DUR",
	Range:   "1 to 15 in 1m to 24h; off",
	Default: "3/1h",
	most:    1,
	set:     func(c *Config, args []string) error { return setHangups(&c.Hangups, args[0]) },
	print:   printHangups,
}, {
	Name: "block",
	Args: "strikes=N within=DUR for=DUR max=DUR kill=on|off grace=DUR max_entries=N",
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
}, {
	Name:      "dnsbl",
	Args:      "ZONE[=FILTER][*WEIGHT]... [as=NAME] [url=URL]",
	Range:     "WEIGHT -1000 to 1000, 1 if left out; at most 16 of a zone, 32 zones, 64 in all",
	lenientBy: []string{"dnsbl_threshold"},
	list:      (*loader).dnsbl,
	lines:     printLists,
}, {
	Name:    "dnsbl_threshold",
	Args:    "N",
	Range:   "1 to 64000; 0 is none",
	Default: "0",
	Lenient: "0",
	most:    1,
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
}, {
	Name:    "bad_rcpts",
	Args:    "N",
	Range:   "1 to 1000; 0 is no limit",
	Default: "3",
	Lenient: "0",
	most:    1,
	set: func(c *Config, args []string) error {
		return setCount(&c.BadRcpts, args[0], 0, maxBadRcpts)
	},
	print: func(c *Config) string { return strconv.Itoa(c.BadRcpts) },
}, {
	Name:    "bad_rcpts_percent",
	Args:    "P",
	Range:   "1 to 100; 0 is any share",
	Default: "0",
	Lenient: "100",
	most:    1,
	set: func(c *Config, args []string) error {
		return setPercent(&c.BadRcptsPercent, args[0])
	},
	print: func(c *Config) string { return strconv.Itoa(c.BadRcptsPercent) },
}, {
	Name:    "bad_rcpts_total",
	Args:    "N/DUR [share=P]",
	Range:   "1 to 255 in 1s to 24h; 0 is no limit; share 0 to 100 percent",
	Default: "10/1h share=50",
	Lenient: "0",
	most:    2,
	set:     setBadRcptsTotal,
	print:   printBadRcptsTotal,
}, {
	Name:    "max_rcpts",
	Args:    "N",
	Range:   "1 to 100000; 0 is no limit",
	Default: "0",
	Lenient: "0",
	most:    1,
	set: func(c *Config, args []string) error {
		return setCount(&c.MaxRcpts, args[0], 0, maxRcpts)
	},
	print: func(c *Config) string { return strconv.Itoa(c.MaxRcpts) },
}, {
	Name:    "max_resets",
	Args:    "N",
	Range:   "1 to 10000; 0 is no limit",
	Default: "20",
	Lenient: "0",
	most:    1,
	set: func(c *Config, args []string) error {
		return setCount(&c.MaxResets, args[0], 0, maxResets)
	},
	print: func(c *Config) string { return strconv.Itoa(c.MaxResets) },
}, {
	Name:    "bad_rcpt_delay",
	Args:    "DUR",
	Range:   "0s to 5s",
	Default: "1s",
	Lenient: "0s",
	most:    1,
	set: func(c *Config, args []string) error {
		return setDuration(&c.BadRcptDelay, args[0], 0, maxBadRcptDelay)
	},
	print: func(c *Config) string { return rule.FormatDuration(c.BadRcptDelay) },
}, {
	Name:    "guard_auth",
	Args:    "on|off",
	Default: off,
	Lenient: off,
	most:    1,
	set:     func(c *Config, args []string) error { return setSwitch(&c.GuardAuth, args[0]) },
	print:   func(c *Config) string { return onOff(c.GuardAuth) },
}, {
	Name:    "guard_listen",
	Args:    "unix:PATH [owner=USER] | ADDRESS:PORT",
	Range:   "PATH is absolute, at most 107 bytes; PORT 1 to 65535",
	Default: "unix:/run/sendwrap/guard.sock",
	most:    2,
	set:     setGuardListen,
	print:   printGuardListen,
}, {
	Name:    "transcript",
	Args:    "DIR [max=SIZE]",
	Range:   "DIR is an absolute path; max 64k to 1G; off",
	Default: off,
	most:    2,
	set:     setTranscript,
	print:   printTranscript,
}, {
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
