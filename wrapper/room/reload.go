package room

import (
	"fmt"

	"sendwrap/allowlist"
	"sendwrap/wrapper"
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

// read reads the configuration beside the loop, since a hundred thousand networks take a second,
// then lets it hold, and calls done. While it is being read, read has it read once more afterwards,
// and only the last caller's done is called.
func (r *room) read(done func()) {
	if r.reading {
		r.readAgain = done
		return
	}
	r.reading = true
	go func() {
		cfg, wrong := config.Load(r.File, allowlist.All())
		if cfg != nil {
			wrapper.HostName(cfg)
		}
		r.notices.post(func() {
			r.reading = false
			r.reconfigure(cfg, wrong)
			if again := r.readAgain; again != nil {
				r.readAgain = nil
				r.read(again)
				return
			}
			done()
		})
	}()
}

// reconfigure lets another configuration hold from now on, also for those who wait: their delay has
// begun, but who is allowed or denied by now waits no longer. One with mistakes changes nothing,
// unless there is none yet.
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
		r.complain(wrong, config.LineSkipped)
	}
	old := r.door.Config
	r.door.Config = cfg
	if cfg.Log != old.Log {
		r.log.Close()
		r.log = maillog.NewQueue(r.LogTo(cfg.Log))
		r.door.Log = r.log.Log()
	}
	r.enforce.Configure(cfg, r.LogTo(cfg.Log))
	r.mtas.starts.resize(cfg.SpawnRate)
	if cfg.Ledger != old.Ledger || r.door.Ledger == nil {
		r.changeLedger()
	}
	r.newRules()
	_ = r.log.Log().Write(maillog.Info, r.File+": read anew")
}

// complain logs what is wrong with a configuration, and what becomes of that.
func (r *room) complain(wrong error, fate string) {
	for _, line := range config.LogLines(wrong, fate) {
		r.warnf("%s", line)
	}
}

// warnf writes a line about ourselves.
func (r *room) warnf(format string, args ...any) {
	_ = r.log.Log().Write(maillog.Warning, fmt.Sprintf(format, args...))
}
