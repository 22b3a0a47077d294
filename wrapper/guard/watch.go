package guard

import (
	"os"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
)

const (
	blocksEvery  = 250 * time.Millisecond // look for new blocks
	tickEvery    = time.Second            // check the ledger, and log remarks
	reopenEvery  = time.Minute            // open a ledger that could not be opened
	shutdownTime = time.Second            // for the sessions to end when the guard ends
)

// watch looks after all sessions until the guard ends.
func (g *guard) watch(hup <-chan os.Signal) {
	blocks, tick := time.NewTicker(blocksEvery), time.NewTicker(tickEvery)
	defer blocks.Stop()
	defer tick.Stop()
	var seen uint64                         // the last new block, as the ledger numbers them
	reopenAt := time.Now().Add(reopenEvery) // it has been tried
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
			reopenAt = g.tend(now, reopenAt)
			g.remarks.report(now)
		}
	}
}

// tend opens the ledger anew where there is none, or another one now.
func (g *guard) tend(now, reopenAt time.Time) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.door.Ledger
	if l == nil && now.Before(reopenAt) || l != nil && !l.Replaced() {
		return reopenAt
	}
	g.door.CloseLedger()
	g.door.OpenLedger()
	return now.Add(reopenEvery)
}

// reload reads the configuration anew. One with mistakes changes nothing. It holds for sessions
// that begin from now on.
func (g *guard) reload() {
	cfg, wrong := config.Load(g.File, allowlist.All())
	if wrong != nil {
		g.complain(wrong, "")
		g.warn(g.File + ": what held before holds on; see sendwrap check, then send SIGHUP again")
		return
	}
	wrapper.HostName(cfg)
	g.mu.Lock()
	old := g.door.Config
	g.door.Config = cfg
	if cfg.Log != old.Log {
		g.door.Log = g.LogTo(cfg.Log)
	}
	if cfg.Ledger != old.Ledger {
		g.door.CloseLedger()
		g.door.OpenLedger()
	}
	to := g.door.Log
	g.mu.Unlock()
	g.remarks.redirect(to)
	g.config.Store(cfg)
	g.enforce.Configure(cfg, to)
	_ = to.Write(maillog.Info, g.File+": read anew")
	if g.at != (config.Listen{}) && cfg.GuardListen != g.at {
		g.warn(g.File + ": guard_listen is another now; restart the guard for that")
	}
}
