package config

import (
	"io"
	"net/netip"
	"time"

	"sendwrap/allowlist"
)

// DefaultPath is the file that is read if none is named.
const DefaultPath = "/etc/sendwrap.conf"

// Config is what sendwrap.conf says, or the default where it says nothing.
type Config struct {
	MTA         []string // the program, an absolute path, and its arguments
	MTAStderr   MTAStderr
	GreetDelay  time.Duration // 0 to MaxGreetDelay
	StressDelay time.Duration // the same under stress; never longer than GreetDelay
	Teaser      string        // first line of the greeting, without its 220-; "" = none
	OnPregreet  Action
	OnDenied    Denial
	ClientRate  allowlist.Rate
	ClientConns int // live sessions of one client at once; 0 = no limit
	MaxSessions int
	Reserve     int           // percent of MaxSessions that are kept
	MaxIdle     time.Duration // until a session ends where a place is wanted; 0 = never
	MaxWaiting  int           // a process each
	RoomWaiting int           // the same for a room
	SpawnRate   int           // MTAs that a room starts within any second
	RoomIdle    time.Duration // without clients, until a room ends; 0 = it stays
	RefuseLoad  float64       // load average of the last minute; 0 = any
	CountBy     Widths
	NAT64       []netip.Prefix // prefixes behind which an address is an IPv4 address
	Remember    time.Duration  // how long a client stays known; 0 = never is
	Hangups     allowlist.Rate // so many let a client in at once, and make it known; zero = none do
	Block       Block
	KindStrikes Weights  // what it is to speak early, by kind
	OnBlock     []string // the program that is told of blocks, an absolute path, and its first arguments; nil = none
	Mode        Mode
	Hostname    string // by which a refusal names us; "" = the machine's own name
	Contact     string // what a refusal ends with; "" = nothing
	Ledger      Ledger
	Log         LogTarget
	Networks    *allowlist.List    // what allow, deny and client say; nil in Default
	Files       []string           // from which all this was read
	lines       []allowlist.Source // of each directive, in the order of the table

	// What the guard watches:
	BadRcpts        int            // rejected recipients a session; 0 = no limit
	BadRcptsPercent int            // least share of bad ones among all for the limits on them to act; 0 = any
	BadRcptsTotal   allowlist.Rate // rejected recipients of a client over all its sessions; zero = no limit
	BadRcptsShare   int            // least percentage of bad ones among all of that time for BadRcptsTotal to act; 0 = any
	MaxRcpts        int            // accepted recipients a message; 0 = no limit
	MaxResets       int            // abandoned transactions a session; 0 = no limit
	BadRcptDelay    time.Duration  // before each answer after the first bad recipient; 0 = none
	GuardAuth       bool           // clients that have authenticated are watched, too
	GuardListen     Listen
	Transcript      Transcript
}

// Ledger is the file of the shared memory and the number of clients it has room for.
type Ledger struct {
	Path    string
	Clients int
}

// Place is where a directive got its value, FILE:LINE; the file alone where it has its default.
func (c *Config) Place(directive string) string {
	for i := range directives {
		d := &directives[i]
		if d.Name == directive && i < len(c.lines) && c.lines[i].Line > 0 {
			return c.lines[i].String()
		}
	}
	if len(c.Files) == 0 {
		return DefaultPath
	}
	return c.Files[0]
}

// Default is what holds without a configuration file: the defaults of the table, spelled out, since
// to parse them would be work for every connection.
func Default() *Config {
	return &Config{
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
		Hangups:     allowlist.Rate{N: 3, Per: time.Hour},
		Block: Block{Strikes: 3, Within: 10 * time.Minute, For: time.Hour, Max: 24 * time.Hour,
			Kill: true, Grace: 2 * time.Second, MaxEntries: 10000},
		KindStrikes: Weights{Ehlo: 1, Pipelined: 1, Other: 1},
		Ledger:      Ledger{Path: "/var/lib/sendwrap/ledger", Clients: 65536},

		BadRcpts:      3,
		BadRcptsTotal: allowlist.Rate{N: 10, Per: time.Hour},
		BadRcptsShare: badRcptsShare,
		MaxResets:     20,
		BadRcptDelay:  time.Second,
		GuardListen:   Listen{Network: "unix", Address: "/run/sendwrap/guard.sock"},
	}
}

// Write prints every setting as a line that Load reads back to the same value, in the
// order of the table. Networks are not printed.
func (c *Config) Write(w io.Writer) error {
	var text []byte
	for i := range directives {
		if d := &directives[i]; d.print != nil {
			text = append(text, d.Name...)
			text = append(text, ' ')
			text = append(text, d.print(c)...)
			text = append(text, '\n')
		}
	}
	_, err := w.Write(text)
	return err
}
