package room

import (
	"os"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/reload"
)

// reload reads the configuration again, at SIGHUP.
func (r *room) reload() {
	r.manager.reloading()
	r.readConfig(func() {
		reload.LogMistakes(r.log.Log(), r.unconfigured, "")
		r.manager.ready()
	})
}

// readConfig reads the configuration beside the loop, because a hundred thousand networks take a
// second. Then it applies the configuration and calls done. If it is called again while it reads,
// it reads once more after that, and calls the last done only.
func (r *room) readConfig(done func()) {
	if r.reading {
		r.readAgain = done
		return
	}
	r.reading = true
	go func() {
		cfg, err := reload.Load(r.File)
		r.notices.post(func() {
			r.reading = false
			r.reconfigure(cfg, err)
			if again := r.readAgain; again != nil {
				r.readAgain = nil
				r.readConfig(again)
				return
			}
			done()
		})
	}()
}

// lookForConfig looks for the configuration that a room does not have yet. It reads a file only if
// the file has not changed since the last look, a second ago: until then an editor may be writing
// it, and half a file, or an empty one, would hold until the next SIGHUP.
func (r *room) lookForConfig() {
	file, err := os.Stat(r.File)
	before := r.fileSeen
	r.fileSeen = file
	if before == nil || err == nil && (!os.SameFile(before, file) ||
		before.Size() != file.Size() || !before.ModTime().Equal(file.ModTime())) {
		return
	}
	if !r.reading {
		r.readConfig(func() {})
	}
}

// reconfigure applies a configuration, also to waiting clients: their delay does not change, but
// those that are allowed or denied now wait no longer. A configuration with mistakes changes
// nothing, unless there is none yet.
func (r *room) reconfigure(cfg *config.Config, err error) {
	switch {
	case err != nil && r.unconfigured == nil:
		reload.Log(r.log.Log(), r.File, err)
		return
	case cfg == nil:
		r.unconfigured = err
		return
	}
	if r.unconfigured != nil {
		r.unconfigured = nil
		reload.LogMistakes(r.log.Log(), err, config.LineSkipped)
	}
	old := r.config
	r.config, r.door.Policy = cfg, cfg.Policy()
	r.door.ChangeLists()
	r.watchDNS()
	if cfg.Log != old.Log {
		r.log.Close()
		r.log = maillog.NewQueue(r.LogTo(cfg.Log))
		r.door.Log = r.log.Log()
	}
	r.enforce.Configure(cfg, r.LogTo(cfg.Log))
	r.mtas.starts.resize(cfg.SpawnRate)
	if cfg.Ledger != old.Ledger || !r.door.Ledger.IsOpen() {
		r.changeLedger()
	}
	r.door.Ledger.NoteConfigured()
	r.scanForRules()
	reload.Log(r.log.Log(), r.File, nil)
}
