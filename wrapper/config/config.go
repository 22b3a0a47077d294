package config

import (
	"io"
	"net/netip"
	"time"

	"sendwrap/allowlist"
)

// DefaultPath is the configuration file without -f.
const DefaultPath = "/etc/sendwrap.conf"

// Config has the settings of sendwrap.conf, and defaults for the others. The table of directives
// has the bounds.
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
	Reserve     int           // percent of MaxSessions
	MaxIdle     time.Duration // idle sessions end if a place is needed; 0 = never
	MaxWaiting  int           // with a process for each client
	RoomWaiting int           // in a room
	SpawnRate   int           // MTAs that a room starts within any second
	RoomIdle    time.Duration // without clients, a room ends; 0 = never
	RefuseLoad  float64       // one-minute load average; 0 = off
	CountBy     Widths
	NAT64       []netip.Prefix // prefixes of addresses that contain an IPv4 address
	Remember    time.Duration  // a client stays known; 0 = never
	Hangups     allowlist.Rate // after these, a client need not wait once; zero = off
	Block       Block
	KindStrikes Weights  // for speaking early
	OnBlock     []string // the hook, an absolute path, and its first arguments; nil = none
	Mode        Mode
	Hostname    string // of this machine in a refusal; "" = its own name
	Contact     string // at the end of a refusal; "" = none
	Ledger      Ledger
	Log         LogTarget
	Networks    *allowlist.List    // of allow, deny and client lines; nil in Default
	Files       []string           // this one and those that it includes
	lines       []allowlist.Source // of each directive, in the order of the table

	// For the guard:
	BadRcpts        int            // rejected recipients a session; 0 = no limit
	BadRcptsPercent int            // of a session's recipients: with fewer bad ones no limit acts
	BadRcptsTotal   allowlist.Rate // rejected recipients in all sessions of a client; zero = none
	BadRcptsShare   int            // the same percentage for BadRcptsTotal, of all in that time
	MaxRcpts        int            // accepted recipients a message; 0 = no limit
	MaxResets       int            // abandoned transactions a session; 0 = no limit
	BadRcptDelay    time.Duration  // before each answer after the first bad recipient; 0 = none
	GuardAuth       bool           // watch authenticated clients too
	GuardListen     Listen
	Transcript      Transcript
}

// Ledger is the file of the shared memory, and the number of clients that fit into it.
type Ledger struct {
	Path    string
	Clients int
}

// Place is the FILE:LINE that sets a directive, or the file alone if the directive has its default.
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

// Default is the configuration of an empty file. It repeats the defaults of the table, since
// parsing them would cost time for every connection.
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

// Write prints every setting, in the order of the table, as a line that Load reads back. It does
// not print networks.
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
