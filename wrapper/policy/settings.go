package policy

import (
	"net/netip"
	"strconv"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
)

// MaxSessions is the largest max_sessions.
const MaxSessions = 100_000

// Settings are the directives of sendwrap.conf, all but the lines about networks. The table of
// directives in package config has the bounds.
type Settings struct {
	MTA         []string // the program, an absolute path, and its arguments
	MTAStderr   MTAStderr
	GreetDelay  time.Duration // 0 to rule.MaxGreetDelay
	StressDelay time.Duration // the same under stress; never longer than GreetDelay
	Teaser      string        // first line of the greeting, without its 220-; "" = none
	OnPregreet  Action
	OnDenied    Denial
	ClientRate  rule.Rate
	ClientConns int // live sessions of one client at once; 0 = no limit
	MaxSessions int
	Reserve     int           // percent of MaxSessions
	MaxIdle     time.Duration // idle sessions end if a place is needed; 0 = never
	MaxWaiting  int           // with a process for each client
	RoomWaiting int           // in a room
	SpawnRate   int           // MTAs that a room starts within any second
	RoomIdle    time.Duration // without clients, a room ends; 0 = never
	RefuseLoad  float64       // one-minute load average; 0 = off
	CountBy     Widths
	Wide        []Wide         // limits of wide networks; at most MaxWide, the narrower one first
	NAT64       []netip.Prefix // prefixes of addresses that contain an IPv4 address
	Remember    time.Duration  // a client stays known; 0 = never
	Hangups     rule.Rate      // after these, a client need not wait once; zero = off
	Block       Block
	KindStrikes Weights  // for speaking early
	OnBlock     []string // the hook, an absolute path, and its first arguments; nil = none
	Mode        Mode
	Observed    Observed // but for wide lines
	Hostname    string   // of this machine in a refusal; "" = its own name
	Contact     string   // at the end of a refusal; "" = none
	Ledger      Ledger
	Log         LogTarget
	AccessMap   string // the text of a sendmail site's access map, an absolute path; "" = none

	RememberAfter Knowing

	// Of DNS:
	Lists          []dnsbl.List     // each zone once
	DNSBLThreshold int              // a score so high is refused; 0 = lists are only logged
	DNSBLWelcome   int              // a score so low ends the delay; 0 = none does
	DNSBLTTL       TTL              // for which a result is kept
	OnListed       Action           // for a client that is refused by its score
	Resolvers      []netip.AddrPort // nil = those of /etc/resolv.conf

	// For the guard:
	BadRcpts        int           // rejected recipients a session; 0 = no limit
	BadRcptsPercent int           // of a session's recipients: with fewer bad ones no limit acts
	BadRcptsTotal   rule.Rate     // rejected recipients in all sessions of a client; zero = none
	BadRcptsShare   int           // the same percentage for BadRcptsTotal, of all in that time
	MaxRcpts        int           // accepted recipients a message; 0 = no limit
	MaxResets       int           // abandoned transactions a session; 0 = no limit
	BadRcptDelay    time.Duration // before each answer after the first bad recipient; 0 = none
	GuardAuth       bool          // watch authenticated clients too
	GuardListen     Listen
	Transcript      Transcript
}

// Ledger is the file of the shared memory, and the number of clients that fit into it.
type Ledger struct {
	Path    string
	Clients int
}

// TTL is the least and the most time for which what DNS said is kept, whatever it said itself.
type TTL struct{ Min, Max time.Duration }

// String is the spelling of sendwrap.conf: "1m 1h".
func (t TTL) String() string {
	return rule.FormatDuration(t.Min) + " " + rule.FormatDuration(t.Max)
}

// Block says when strikes make a block, and how long a block lasts. The first one lasts For, each
// further one of the same network twice as long as the one before, up to Max.
type Block struct {
	Strikes    int           // 0 = never; blocks by hand still follow the other fields
	Within     time.Duration // in which these strikes make a block
	For        time.Duration
	Max        time.Duration
	Kill       bool          // end live sessions of the network
	Grace      time.Duration // from the beginning of a block to the end of its sessions
	MaxEntries int           // blocks at once; beyond it the oldest end first
}

// Listen is the socket on which the guard waits for the MTA.
type Listen struct {
	Network string // "unix" or "tcp"
	Address string // an absolute path, or ADDRESS:PORT as netip.ParseAddrPort reads it
	Owner   string // of the unix socket, a user's name or number; "" = the user that runs the guard
}

// Transcript is the directory in which the guard records sessions that led to a block or a strike.
type Transcript struct {
	Dir string // an absolute path; "" = none
	Max int64  // bytes of all files together
}

// Widths are prefix lengths: addresses with the same prefix count as one client.
type Widths struct{ V4, V6 int }

// String is the spelling of sendwrap.conf: "32 64".
func (w Widths) String() string { return strconv.Itoa(w.V4) + " " + strconv.Itoa(w.V6) }

// MaxWide is how many Wide there can be.
const MaxWide = rule.MaxWide

// Wide are limits of the networks of these widths, beside those of each client in them. 0 is no
// limit. Both widths are wider, so smaller numbers, than those of CountBy, and of the Wide before.
type Wide struct {
	Widths
	ClientRate    rule.Rate
	ClientConns   int
	BadRcptsTotal rule.Rate // with the share of BadRcptsShare
	Strikes       int       // within Block.Within they block the network
	Observed      bool      // they refuse and block nobody
}

// BadRcptsShare is that of a configuration that sets none.
const BadRcptsShare = 50 // percent

// Default is what holds without any directive. It repeats the defaults of the table of directives,
// since parsing them would cost time for every connection. A change of it makes a new Version.
func Default() Settings {
	return Settings{
		MTA:         []string{"/usr/sbin/sendmail", "-Am", "-bs"},
		GreetDelay:  6 * time.Second,
		StressDelay: 2 * time.Second,
		ClientConns: 50,
		MaxSessions: 300,
		Reserve:     20,
		MaxIdle:     time.Minute,
		MaxWaiting:  1000,
		RoomWaiting: 20000,
		SpawnRate:   100,
		RoomIdle:    10 * time.Minute,
		CountBy:     Widths{V4: 32, V6: 64},
		NAT64:       []netip.Prefix{wellKnown},
		Remember:    24 * time.Hour,
		Hangups:     rule.Rate{N: 3, Per: time.Hour},
		Block: Block{Strikes: 3, Within: 10 * time.Minute, For: time.Hour, Max: 24 * time.Hour,
			Kill: true, Grace: 2 * time.Second, MaxEntries: 10000},
		KindStrikes: Weights{Ehlo: 1, Pipelined: 1, Other: 1},
		Ledger:      Ledger{Path: "/var/lib/sendwrap/ledger", Clients: 65536},
		DNSBLTTL:    TTL{Min: time.Minute, Max: time.Hour},

		BadRcpts:      3,
		BadRcptsTotal: rule.Rate{N: 10, Per: time.Hour},
		BadRcptsShare: BadRcptsShare,
		MaxResets:     20,
		BadRcptDelay:  time.Second,
		GuardListen:   Listen{Network: "unix", Address: "/run/sendwrap/guard.sock"},
	}
}
