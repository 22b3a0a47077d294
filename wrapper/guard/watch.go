package guard

import (
	"os"
	"time"

	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/reload"
)

const (
	blocksEvery  = 250 * time.Millisecond // look for new blocks
	tickEvery    = time.Second            // check the ledger, and log remarks
	shutdownTime = time.Second            // for the sessions to end when the guard ends
)

// watch looks after all sessions until the guard ends.
func (g *guard) watch(hup <-chan os.Signal) {
	blocks, tick := time.NewTicker(blocksEvery), time.NewTicker(tickEvery)
	defer blocks.Stop()
	defer tick.Stop()
	var seen uint64 // the last new block, as the ledger numbers them
	for {
		select {
		case <-g.stop.Done():
			return
		case <-hup:
			g.reload()
		case now := <-blocks.C:
			g.writePending(now)
			seen = g.findNewBlocks(seen)
		case now := <-tick.C:
			g.reopenLedger()
			g.remarks.report(now)
		}
	}
}

// reopenLedger opens the ledger again if it is time for that.
func (g *guard) reopenLedger() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.door.Ledger.Outdated() {
		g.door.OpenLedger()
	}
}

// reload reads the configuration again, at SIGHUP. One with mistakes changes nothing. The new one
// applies to sessions that begin from now on.
func (g *guard) reload() {
	cfg, err := reload.Load(g.File)
	if err != nil {
		reload.Log(g.log(), g.File, err)
		return
	}
	g.mu.Lock()
	old := g.config.Load()
	g.door.Policy = cfg.Policy()
	if cfg.Log != old.Log {
		g.door.Log = g.LogTo(cfg.Log)
	}
	if cfg.Ledger != old.Ledger {
		g.door.OpenLedger()
	}
	to := g.door.Log
	g.mu.Unlock()
	g.config.Store(cfg)
	g.enforce.Configure(cfg, to)
	reload.Log(to, g.File, nil)
	if g.at != (policy.Listen{}) && cfg.GuardListen != g.at {
		g.warn(g.File + ": guard_listen changed; restart the guard to apply it")
	}
}
