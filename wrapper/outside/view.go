// Package outside is for processes that only look at sendwrap, for hours on end: it reads the
// configuration and the ledger that it names, again and again.
package outside

import (
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

const readConfigEvery = time.Minute // a hundred thousand networks take most of a second

// View is a configuration and the ledger that it names.
type View struct {
	File     string         // of Config
	Config   *config.Config // the last that could be read
	Mistakes int            // wrong directives of that
	Unread   error          // why it could not be read again
	Ledger   *ledger.Ledger // without the right to write; see Refresh

	networks func() *allowlist.List
	readAt   time.Time
	path     string // of Ledger
}

// Open reads the configuration, with those of its networks that the new list keeps. The error says
// that there is none, and is that of [config.Load].
func Open(file string, networks func() *allowlist.List) (*View, error) {
	v := &View{File: file, networks: networks}
	v.readConfig()
	return v, v.Unread
}

// Close lets go of the ledger.
func (v *View) Close() error { return v.Ledger.Close() }

// Refresh reads the configuration again, once a minute, and opens the ledger that it names, if that
// is another one by now. The error says why there is no ledger.
func (v *View) Refresh() (err error) {
	if time.Since(v.readAt) >= readConfigEvery {
		v.readConfig()
	}
	path := v.Config.Ledger.Path
	if !v.Ledger.Replaced() && v.path == path {
		return nil
	}
	_ = v.Ledger.Close()
	v.path = path
	v.Ledger, err = ledger.OpenReadOnly(path)
	return err
}

// readConfig reads the configuration. Where that fails, the one before stays.
func (v *View) readConfig() {
	cfg, err := config.Load(v.File, v.networks())
	v.readAt = time.Now()
	if cfg == nil {
		v.Unread = err
		return
	}
	v.Config, v.Mistakes, v.Unread = cfg, config.CountMistakes(err), nil
}
