package room

import (
	"errors"
	"fmt"

	multierror "github.com/hashicorp/go-multierror"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
)

// reload reads the configuration anew at SIGHUP.
func (r *room) reload() {
	r.manager.reloading()
	r.read(func() {
		r.complain(r.unconfigured, "")
		r.manager.ready()
	})
}

// read reads the configuration beside the loop, since a hundred thousand networks take a second, and then lets it hold.
func (r *room) read(done func()) {
	if r.reading {
		r.readAgain = true
		return
	}
	r.reading, r.readAgain = true, false
	go func() {
		cfg, wrong := config.Load(r.File, allowlist.All())
		r.notices.post(func() {
			r.reading = false
			r.reconfigure(cfg, wrong)
			if r.readAgain {
				r.read(done)
				return
			}
			done()
		})
	}()
}

// reconfigure lets another configuration hold from now on, also for those who wait, whose delay has begun. One
// with mistakes changes nothing, unless there is none yet.
func (r *room) reconfigure(cfg *config.Config, wrong error) {
	switch {
	case wrong != nil && r.unconfigured == nil:
		r.complain(wrong, "")
		r.warnf("%s: what held before holds on; see sendwrap check, then send SIGHUP again", r.File)
		return
	case cfg == nil:
		r.unconfigured = wrong
		return
	}
	if r.unconfigured != nil {
		r.unconfigured = nil
		r.complain(wrong, skipped)
	}
	old := r.door.Config
	r.door.Config = cfg
	if cfg.Log != old.Log {
		r.log.Close()
		r.log = maillog.NewQueue(r.LogTo(cfg.Log))
		r.door.Log = r.log.Log()
	}
	r.mtas.starts.resize(cfg.SpawnRate)
	if cfg.Ledger != old.Ledger || r.door.Ledger == nil {
		r.changeLedger()
	}
	_ = r.log.Log().Write(maillog.Info, r.File+": read anew")
}

// mostComplaints is how many wrong directives are told; sendwrap check tells them all.
const mostComplaints = 5

// skipped is what becomes of a wrong directive where there is no better configuration to stay with.
const skipped = " (skipped)"

// complain logs what is wrong with a configuration, and what becomes of that.
func (r *room) complain(wrong error, fate string) {
	var all *multierror.Error
	if !errors.As(wrong, &all) {
		if wrong != nil {
			r.warnf("%v", wrong)
		}
		return
	}
	for i, err := range all.Errors {
		if i == mostComplaints {
			r.warnf("%d more wrong directives; run sendwrap check", len(all.Errors)-i)
			return
		}
		r.warnf("%v%s", err, fate)
	}
}

// warnf writes a line about ourselves.
func (r *room) warnf(format string, args ...any) {
	_ = r.log.Log().Write(maillog.Warning, fmt.Sprintf(format, args...))
}
