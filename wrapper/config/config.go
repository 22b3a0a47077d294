package config

import (
	"io"
	"path/filepath"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/access"
	"sendwrap/wrapper/policy"
)

// DefaultPath is the configuration file without -f.
const DefaultPath = policy.DefaultPath

// Config is what sendwrap.conf says: its settings, with defaults for those that it does not name,
// and its networks.
type Config struct {
	policy.Settings
	Networks *allowlist.List // of allow, deny and client lines; nil in Default
	Share    Share
	Map      *access.Map     // nil = none, or none that can be read
	Files    []string        // this one and those that it includes
	Sources  []policy.Source // all that was tried, in the same order; see [Read]
	lines    []rule.Source   // of each directive, in the order of the table
	listPlaces
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

// Policy is what the configuration means for clients. Every call returns the same settings.
func (c *Config) Policy() *policy.Policy {
	p := &policy.Policy{Settings: &c.Settings, Rules: rules{c.Networks}}
	if c.Map != nil {
		p.Map = c.Map
	}
	return p
}

// rules are those of the text: all are in memory.
type rules struct{ *allowlist.List }

func (r rules) MatchName(name string) (rule.Match, error) { return r.List.MatchName(name), nil }

// Default is the configuration of an empty file.
func Default() *Config { return &Config{Settings: policy.Default(), Share: defaultShare()} }

// SetupDir is where `sendwrap setup` keeps what it has changed. It is not beside the ledger of
// sendwrap.conf, which may be another one by now, or be unreadable.
func SetupDir() string { return filepath.Join(filepath.Dir(Default().Ledger.Path), "setup") }

// Write prints every setting, in the order of the table, as lines that Load reads back. It does
// not print networks. The zones of lists, which may hold keys, are among the text.
func (c *Config) Write(w io.Writer) error {
	var text []byte
	for i := range directives {
		d := &directives[i]
		lines := []string(nil)
		switch {
		case d.print != nil:
			lines = []string{d.line(c)}
		case d.lines != nil:
			lines = d.lines(c)
		}
		for _, line := range lines {
			text = append(text, d.Name+" "+line+"\n"...)
		}
	}
	_, err := w.Write(text)
	return err
}
