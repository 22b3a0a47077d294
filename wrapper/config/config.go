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
	MaxWaiting  int
	RefuseLoad  float64 // load average of the last minute; 0 = any
	CountBy     Widths
	Remember    time.Duration // how long a client stays known; 0 = never is
	Block       Block
	Mode        Mode
	Ledger      Ledger
	Log         LogTarget
	Networks    *allowlist.List // what allow, deny and client say; nil in Default
}

// Ledger is the file of the shared memory and the number of clients it has room for.
type Ledger struct {
	Path    string
	Clients int
}

// Default is what holds without a configuration file.
func Default() *Config {
	c := new(Config)
	var args []string
	for i := range directives {
		d := &directives[i]
		if d.set == nil {
			continue
		}
		args = args[:0]
		for w := (words{rest: d.Default}); w.next(); {
			args = append(args, w.word)
		}
		if err := d.set(c, args); err != nil {
			panic("config: default of " + d.Name + ": " + err.Error()) // no test run gets past this
		}
	}
	return c
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
