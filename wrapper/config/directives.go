package config

import (
	"slices"
	"strconv"

	"sendwrap/allowlist"
)

// Directive is a word that a line of sendwrap.conf may begin with.
type Directive struct {
	Name    string
	Args    string // what follows it
	Range   string // units and bounds of what follows; "" where Args says it all
	Default string // what holds without it, as it would be written; "" if it may be repeated
	Help    string // what it does, in a sentence or two

	// What holds if a line of it is wrong, as it would be written, where the default may be
	// stricter than what was meant; "" is the default.
	Doubt  string
	onlyIf func(args []string) bool // and only of lines like these; nil = of any
	doubts []string                 // what a wrong line puts in doubt in place of the directive

	// Of a directive given once:
	most  int                                  // words that may follow it; 0 = any number
	set   func(c *Config, args []string) error // takes one word or more, changes nothing on error
	print func(c *Config) string               // what set reads back

	// Of one that may be repeated:
	list func(l *loader, w words, at allowlist.Source)
}

// Directives lists what sendwrap.conf may say, in the order of its manual.
func Directives() []Directive { return slices.Clone(directives) }

var directives = []Directive{{
	Name:    "mta",
	Args:    "PROGRAM ARG...",
	Range:   "PROGRAM is an absolute path",
	Default: "/usr/sbin/sendmail -Am -bs",
	Help:    "What a client gets that passes: sendwrap becomes this program, which must speak SMTP on standard input and output.",
	set:     setMTA,
	print:   func(c *Config) string { return joined(c.MTA...) },
}, {
	Name:    "mta_stderr",
	Args:    "auto|client|syslog|null",
	Default: "auto",
	Help: "Where what the MTA says on standard error goes: auto is to syslog where it would be the client's connection, " +
		"else where sendwrap's goes.",
	most:  1,
	set:   func(c *Config, args []string) error { return choose(&c.MTAStderr, args[0], mtaStderrs) },
	print: func(c *Config) string { return c.MTAStderr.String() },
}, {
	Name:    "greet_delay",
	Args:    "DUR [stress=DUR]",
	Range:   "0s to 290s; stress 0s to the delay",
	Default: "6s stress=2s",
	Doubt:   "0s",
	onlyIf:  sayNone,
	Help:    "How long the greeting is held back to see who speaks first; stress= holds while the machine is nearly full.",
	most:    2,
	set:     setGreetDelay,
	print: func(c *Config) string {
		return FormatDuration(c.GreetDelay) + " stress=" + FormatDuration(c.StressDelay)
	},
}, {
	Name:    "teaser",
	Args:    "TEXT",
	Range:   "printable ASCII, at most 400 bytes; off",
	Default: off,
	Doubt:   off,
	Help:    "A first line of the greeting, sent at once as 220-TEXT, to tempt those who cannot tell it from the last.",
	set:     setTeaser,
	print:   printTeaser,
}, {
	Name:    "on_pregreet",
	Args:    "reject|tempfail|drop",
	Default: "reject",
	Doubt:   "tempfail",
	Help:    "What a client gets that spoke before the greeting: 554 and close, 421 and close, or close without a word.",
	most:    1,
	set:     func(c *Config, args []string) error { return choose(&c.OnPregreet, args[0], actions) },
	print:   func(c *Config) string { return c.OnPregreet.String() },
}, {
	Name:   "allow",
	doubts: whoeverWasMeant,
	Args:   "NETWORK...",
	Help:   "Clients that get the MTA at once: no delay, limit or block applies.",
	list:   (*loader).allow,
}, {
	Name: "deny",
	Args: "NETWORK...",
	Help: "Clients that are turned away for good.",
	list: (*loader).deny,
}, {
	Name:    "on_denied",
	Args:    "close|talk",
	Default: "close",
	Doubt:   "close",
	Help: "How clients of a deny network are turned away: 554 in place of the greeting and close, " +
		"or a greeting and 550 for each recipient.",
	most:  1,
	set:   func(c *Config, args []string) error { return choose(&c.OnDenied, args[0], denials) },
	print: func(c *Config) string { return c.OnDenied.String() },
}, {
	Name:   "client",
	doubts: whoeverWasMeant,
	Args:   "NETWORK KEY=VALUE...",
	Range: "greet_delay=DUR, client_rate=N/DUR, client_conns=N, bad_rcpts=N, bad_rcpts_percent=P, bad_rcpts_total=N/DUR, " +
		"max_rcpts=N, max_resets=N, bad_rcpt_delay=DUR, as the directives; 0 is none",
	Help: "A delay and limits of its own for a network.",
	list: (*loader).client,
}, {
	Name:    "client_rate",
	Args:    "N/DUR",
	Range:   "1 to 65535 in 1s to 24h; 0 is no limit",
	Default: "0",
	Doubt:   "0",
	Help:    "How many connections of one client are let in within any window of that length.",
	most:    1,
	set:     func(c *Config, args []string) error { return setRate(&c.ClientRate, args[0], maxRate) },
	print:   func(c *Config) string { return c.ClientRate.String() },
}, {
	Name:    "client_conns",
	Args:    "N",
	Range:   "1 to 100000; 0 is no limit",
	Default: "50",
	Doubt:   "0",
	Help:    "How many connections one client may have at once, waiting and in session.",
	most:    1,
	set:     func(c *Config, args []string) error { return setCount(&c.ClientConns, args[0], 0, maxConns) },
	print:   func(c *Config) string { return strconv.Itoa(c.ClientConns) },
}, {
	Name:    "max_sessions",
	Args:    "N",
	Range:   "1 to 100000",
	Default: "300",
	Help:    "How many MTAs may be in session at once.",
	most:    1,
	set:     func(c *Config, args []string) error { return setCount(&c.MaxSessions, args[0], 1, maxSessions) },
	print:   func(c *Config) string { return strconv.Itoa(c.MaxSessions) },
}, {
	Name:    "reserve",
	Args:    "N%",
	Range:   "0% to 90%; 0% is none",
	Default: "20%",
	Doubt:   "0%",
	Help:    "The last places of max_sessions, which are for known clients and for networks that have none.",
	most:    1,
	set:     setReserve,
	print:   func(c *Config) string { return strconv.Itoa(c.Reserve) + "%" },
}, {
	Name:    "max_idle",
	Args:    "DUR",
	Range:   "1s to 24h; 0 is never",
	Default: "1m",
	Doubt:   "0s",
	Help: "While there are so many sessions, those in which the client has said nothing for that long end, " +
		"to make room.",
	most:  1,
	set:   func(c *Config, args []string) error { return setIdle(&c.MaxIdle, args[0]) },
	print: func(c *Config) string { return FormatDuration(c.MaxIdle) },
}, {
	Name:    "max_waiting",
	Args:    "N [room=N]",
	Range:   "1 to 1000000; room is N if it is left out",
	Default: "1000 room=20000",
	Help:    "How many clients may be in the greet delay at once; room= holds in the room, where one costs next to nothing.",
	most:    2,
	set:     setMaxWaiting,
	print:   func(c *Config) string { return strconv.Itoa(c.MaxWaiting) + " room=" + strconv.Itoa(c.RoomWaiting) },
}, {
	Name:    "spawn_rate",
	Args:    "N",
	Range:   "1 to 10000",
	Default: "100",
	Help:    "How many MTAs the room starts within any second; clients that have passed wait for their turn.",
	most:    1,
	set:     func(c *Config, args []string) error { return setCount(&c.SpawnRate, args[0], 1, maxSpawnRate) },
	print:   func(c *Config) string { return strconv.Itoa(c.SpawnRate) },
}, {
	Name:    "room_idle",
	Args:    "DUR",
	Range:   "1s to 24h; 0 is never",
	Default: "10m",
	Help:    "How long a room that inetd or xinetd has started stays without clients before it gives the port back.",
	most:    1,
	set:     func(c *Config, args []string) error { return setIdle(&c.RoomIdle, args[0]) },
	print:   func(c *Config) string { return FormatDuration(c.RoomIdle) },
}, {
	Name:    "refuse_load",
	Args:    "X",
	Range:   "0 to 10000; 0 is off",
	Default: "0",
	Doubt:   "0",
	Help:    "The load average of the last minute from which new clients are put off.",
	most:    1,
	set:     setRefuseLoad,
	print:   func(c *Config) string { return strconv.FormatFloat(c.RefuseLoad, 'g', -1, 64) },
}, {
	Name:    "count_by",
	Args:    "V4BITS V6BITS",
	Range:   "8 to 32 bits and 16 to 128 bits",
	Default: "32 64",
	Help:    "The prefix under which clients are counted, known and blocked as one.",
	most:    2,
	set:     setCountBy,
	print:   func(c *Config) string { return c.CountBy.String() },
}, {
	Name:    "nat64",
	Args:    "PREFIX...",
	Range:   "/32, /40, /48, /56, /64 or /96, at most 16, with 64:ff9b::/96, which always counts",
	Default: "64:ff9b::/96",
	Help:    "IPv6 prefixes behind which a client is counted by its IPv4 address (RFC 6052).",
	set:     setNAT64,
	print:   printNAT64,
}, {
	Name:    "remember",
	Args:    "DUR",
	Range:   "0s to 31d; 0 is never",
	Default: "24h",
	Help:    "How long a client that waited quietly stays known and need not wait again.",
	most:    1,
	set:     func(c *Config, args []string) error { return setDuration(&c.Remember, args[0], 0, maxRemember) },
	print:   func(c *Config) string { return FormatDuration(c.Remember) },
}, {
	Name:    "remember_hangups",
	Args:    "N/DUR",
	Range:   "1 to 15 in 1m to 24h; off",
	Default: "3/1h",
	Help: "After so many connections in a row within that time that it left quietly, as monitors do, a client " +
		"need not wait once, and is known then; it must have waited for the greet delay in all.",
	most:  1,
	set:   func(c *Config, args []string) error { return setHangups(&c.Hangups, args[0]) },
	print: printHangups,
}, {
	Name:    "block",
	Args:    "strikes=N within=DUR for=DUR max=DUR kill=on|off grace=DUR max_entries=N",
	Range:   "strikes 1 to 8, within 1s to 24h, for and max 1s to 31d, for no longer than max, grace 0s to 60s, max_entries 1 to 1000000; off",
	Default: "strikes=3 within=10m for=1h max=24h kill=on grace=2s max_entries=10000",
	Doubt:   "off kill=off",
	Help: "How many strikes make a block and how long it lasts, each further one twice as long, up to max; " +
		"whether it ends live sessions, how long after its beginning, and how many blocks there may be.",
	most:  8,
	set:   setBlock,
	print: func(c *Config) string { return c.Block.String() },
}, {
	Name:    "strikes_by_kind",
	Args:    "KIND=N...",
	Range:   "KIND is ehlo, pipelined, tls, http, proxy or other; 0 to 8",
	Default: "ehlo=1 pipelined=1 tls=0 http=0 proxy=0 other=1",
	Doubt:   "ehlo=0 pipelined=0 tls=0 http=0 proxy=0 other=0",
	Help:    "How many strikes it is to speak before the greeting, by what the first bytes look like.",
	most:    int(kindsInAll),
	set:     setStrikesByKind,
	print:   func(c *Config) string { return c.KindStrikes.String() },
}, {
	Name:    "on_block",
	Args:    "PROGRAM ARG...",
	Range:   "PROGRAM is an absolute path; off",
	Default: off,
	Doubt:   off,
	Help:    "A program that is run when a block begins or is ended, to put it into a firewall, say.",
	set:     setOnBlock,
	print:   printOnBlock,
}, {
	Name:    "bad_rcpts",
	Args:    "N",
	Range:   "1 to 1000; 0 is no limit",
	Default: "3",
	Doubt:   "0",
	Help:    "At so many recipients that the MTA rejects in a session it ends with 421, and the client is blocked.",
	most:    1,
	set:     func(c *Config, args []string) error { return setCount(&c.BadRcpts, args[0], 0, maxBadRcpts) },
	print:   func(c *Config) string { return strconv.Itoa(c.BadRcpts) },
}, {
	Name:    "bad_rcpts_percent",
	Args:    "P",
	Range:   "1 to 100; 0 is any share",
	Default: "0",
	Doubt:   "100",
	Help:    "The limits on bad recipients act only when at least so many percent of the session's recipients were bad.",
	most:    1,
	set:     func(c *Config, args []string) error { return setPercent(&c.BadRcptsPercent, args[0]) },
	print:   func(c *Config) string { return strconv.Itoa(c.BadRcptsPercent) },
}, {
	Name:    "bad_rcpts_total",
	Args:    "N/DUR [share=P]",
	Range:   "1 to 255 in 1s to 24h; 0 is no limit; share 0 to 100 percent",
	Default: "10/1h share=50",
	Doubt:   "0",
	Help: "The same for the bad recipients of one client over all its sessions, within any window of that length, while they " +
		"are at least that share of all its recipients.",
	most:  2,
	set:   setBadRcptsTotal,
	print: printBadRcptsTotal,
}, {
	Name:    "max_rcpts",
	Args:    "N",
	Range:   "1 to 100000; 0 is no limit",
	Default: "0",
	Doubt:   "0",
	Help:    "How many accepted recipients a message may have; further ones get 452.",
	most:    1,
	set:     func(c *Config, args []string) error { return setCount(&c.MaxRcpts, args[0], 0, maxRcpts) },
	print:   func(c *Config) string { return strconv.Itoa(c.MaxRcpts) },
}, {
	Name:    "max_resets",
	Args:    "N",
	Range:   "1 to 10000; 0 is no limit",
	Default: "20",
	Doubt:   "0",
	Help:    "How many messages a session may begin and abandon, with RSET or otherwise, before it ends with 421.",
	most:    1,
	set:     func(c *Config, args []string) error { return setCount(&c.MaxResets, args[0], 0, maxResets) },
	print:   func(c *Config) string { return strconv.Itoa(c.MaxResets) },
}, {
	Name:    "bad_rcpt_delay",
	Args:    "DUR",
	Range:   "0s to 5s",
	Default: "1s",
	Doubt:   "0s",
	Help:    "How long each answer is held back after the first bad recipient of a session, 30 s in all.",
	most:    1,
	set:     func(c *Config, args []string) error { return setDuration(&c.BadRcptDelay, args[0], 0, maxBadRcptDelay) },
	print:   func(c *Config) string { return FormatDuration(c.BadRcptDelay) },
}, {
	Name:    "guard_auth",
	Args:    "on|off",
	Default: off,
	Doubt:   off,
	Help:    "on: the guard also watches clients that have authenticated themselves.",
	most:    1,
	set:     func(c *Config, args []string) error { return setSwitch(&c.GuardAuth, args[0]) },
	print:   func(c *Config) string { return onOff(c.GuardAuth) },
}, {
	Name:    "guard_listen",
	Args:    "unix:PATH [owner=USER] | ADDRESS:PORT",
	Range:   "PATH is absolute, at most 107 bytes; PORT 1 to 65535",
	Default: "unix:/run/sendwrap/guard.sock",
	Help:    "The socket on which the guard waits for the MTA, and whose a unix socket is.",
	most:    2,
	set:     setGuardListen,
	print:   func(c *Config) string { return c.GuardListen.String() },
}, {
	Name:    "transcript",
	Args:    "DIR [max=SIZE]",
	Range:   "DIR is an absolute path; max 64k to 1G; off",
	Default: off,
	Help:    "A directory in which the guard writes down sessions that earned a block; max= holds for all files together.",
	most:    2,
	set:     setTranscript,
	print:   func(c *Config) string { return c.Transcript.String() },
}, {
	Name:    "mode",
	Args:    "enforce|observe",
	Default: "enforce",
	Doubt:   "observe",
	Help:    "observe logs and counts each verdict and then lets everyone through.",
	most:    1,
	set:     func(c *Config, args []string) error { return choose(&c.Mode, args[0], modes) },
	print:   func(c *Config) string { return c.Mode.String() },
}, {
	Name:    "hostname",
	Args:    "NAME",
	Range:   "a name with its domain, at most 128 bytes; auto is the machine's own",
	Default: auto,
	Help:    "By what name a refusal says whose it is.",
	most:    1,
	set:     setHostname,
	print:   printHostname,
}, {
	Name:    "contact",
	Args:    "TEXT",
	Range:   "printable ASCII, at most 200 bytes; off",
	Default: off,
	Help:    "Where a refused client's postmaster finds help: a URL, a telephone number.",
	set:     setContact,
	print:   printContact,
}, {
	Name:    "ledger",
	Args:    "PATH [clients=N]",
	Range:   "PATH is absolute; clients 1024 to 16777216",
	Default: "/var/lib/sendwrap/ledger clients=65536",
	Help:    "The file that all sendwrap processes share, and how many clients it has room for.",
	most:    2,
	set:     setLedger,
	print:   func(c *Config) string { return joined(c.Ledger.Path) + " clients=" + strconv.Itoa(c.Ledger.Clients) },
}, {
	Name:    "log",
	Args:    "syslog|stderr|none",
	Default: "syslog",
	Help:    "Where the line about each connection goes; syslog is facility mail.",
	most:    1,
	set:     func(c *Config, args []string) error { return choose(&c.Log, args[0], logTargets) },
	print:   func(c *Config) string { return c.Log.String() },
}, {
	Name:   "include",
	doubts: whoeverWasMeant,
	Args:   "FILE",
	Range:  "at most 16 files within one another, each once",
	Help:   "Reads another file here; its name is relative to the file that names it.",
	list:   (*loader).include,
}}
