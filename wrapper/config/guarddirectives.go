package config

import (
	"strconv"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// guardDirectives are those of the guard.
var guardDirectives = []directive{{
	Name:     "bad_rcpts",
	Args:     "N [observe]",
	observed: policy.BadRcpts,
	Range:    "1 to 1000; 0 is no limit",
	Default:  "3",
	Lenient:  "0",
	most:     1,
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
	Name:     "bad_rcpts_total",
	Args:     "N/DUR [share=P] [observe]",
	observed: policy.BadRcptsTotal,
	Range:    "1 to 255 in 1s to 24h; 0 is no limit; share 0 to 100 percent",
	Default:  "10/1h share=50",
	Lenient:  "0",
	most:     2,
	set:      setBadRcptsTotal,
	print:    printBadRcptsTotal,
}, {
	Name:     "max_rcpts",
	Args:     "N [observe]",
	observed: policy.MaxRcpts,
	Range:    "1 to 100000; 0 is no limit",
	Default:  "0",
	Lenient:  "0",
	most:     1,
	set: func(c *Config, args []string) error {
		return setCount(&c.MaxRcpts, args[0], 0, maxRcpts)
	},
	print: func(c *Config) string { return strconv.Itoa(c.MaxRcpts) },
}, {
	Name:     "max_resets",
	Args:     "N [observe]",
	observed: policy.MaxResets,
	Range:    "1 to 10000; 0 is no limit",
	Default:  "20",
	Lenient:  "0",
	most:     1,
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
}}
