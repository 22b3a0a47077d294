package config

import (
	"io"
	"time"

	"sendwrap/allowlist"
)

// DefaultPath is the file that is read if none is named.
const DefaultPath = "/etc/sendwrap.conf"

// Config is what sendwrap.conf says, or the default where it says nothing.
type Config struct {
	MTA         []string      // the program, an absolute path, and its arguments
	GreetDelay  time.Duration // 0 to MaxGreetDelay
	StressDelay time.Duration // the same under stress; never longer than GreetDelay
	Teaser      string        // first line of the greeting, without its 220-; "" = none
	OnPregreet  Action
	ClientRate  allowlist.Rate
	ClientConns int // live sessions of one client at once; 0 = no limit
	MaxSessions int
	MaxWaiting  int           // a process each
	RoomWaiting int           // the same for a room
	SpawnRate   int           // MTAs that a room starts within any second
	RoomIdle    time.Duration // without clients, until a room ends; 0 = it stays
	RefuseLoad  float64       // load average of the last minute; 0 = any
	CountBy     Widths
	Remember    time.Duration // how long a client stays known; 0 = never is
	Block       Block
	OnBlock     []string // the program that is told of blocks, an absolute path, and its first arguments; nil = none
	Mode        Mode
	Ledger      Ledger
	Log         LogTarget
	Networks    *allowlist.List // what allow, deny and client say; nil in Default

	// What the guard watches:
	BadRcpts        int            // rejected recipients a session; 0 = no limit
	BadRcptsPercent int            // least share of bad ones among all for the limits on them to act; 0 = any
	BadRcptsTotal   allowlist.Rate // rejected recipients of a client over all its sessions; zero = no limit
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

// Default is what holds without a configuration file: the defaults of the table, spelled out, since
// to parse them would be work for every connection.
func Default() *Config {
	return &Config{
		MTA:         []string{"/usr/sbin/sendmail", "-Am", "-bs"},
		GreetDelay:  6 * time.Second,
		StressDelay: 2 * time.Second,
		ClientConns: 50,
		MaxSessions: 300,
		MaxWaiting:  1000,
		RoomWaiting: 20000,
		SpawnRate:   100,
		RoomIdle:    10 * time.Minute,
		CountBy:     Widths{V4: 32, V6: 64},
		Remember:    24 * time.Hour,
		Block: Block{Strikes: 3, Within: 10 * time.Minute, For: time.Hour, Max: 24 * time.Hour,
			Kill: true, Grace: 2 * time.Second, MaxEntries: 10000},
		Ledger: Ledger{Path: "/var/lib/sendwrap/ledger", Clients: 65536},

		BadRcpts:      3,
		BadRcptsTotal: allowlist.Rate{N: 10, Per: time.Hour},
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
