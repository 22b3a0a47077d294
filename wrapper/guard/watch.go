package guard

import (
	"net/netip"
	"os"
	"slices"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
)

const (
	lookEvery   = 250 * time.Millisecond // for blocks that others have begun
	tickEvery   = time.Second            // for what is wrong with the ledger
	partingTime = time.Second            // for the sessions to end when the guard does

	// killTime is how much later than the grace a session is cut off whose process enforce has
	// already ended, if it could.
	killTime = 200 * time.Millisecond
)

// watch looks after all sessions until the guard is to end.
func (g *guard) watch(hup <-chan os.Signal) {
	look, tick := time.NewTicker(lookEvery), time.NewTicker(tickEvery)
	defer look.Stop()
	defer tick.Stop()
	var seen uint64 // blocks begun, as the ledger numbers them
	for {
		select {
		case <-g.stop.Done():
			return
		case <-hup:
			g.reload()
		case now := <-look.C:
			g.pay(now)
			seen = g.look(seen)
		case now := <-tick.C:
			g.reopenLedger()
			g.remarks.report(now)
		}
	}
}

// look finds the blocks that have begun since.
func (g *guard) look(seen uint64) uint64 {
	g.mu.Lock()
	if !g.door.Ledger.IsOpen() {
		g.mu.Unlock()
		return 0
	}
	networks, now, all := g.door.Ledger.BlocksSince(seen)
	g.mu.Unlock()
	if all || seen == 0 && now != 0 { // too many to name, or a ledger that we have not seen before
		for _, s := range g.watched() {
			block, err := g.blockOf(s)
			if err != nil {
				return seen // once more, then
			}
			if block.left > 0 {
				s.bar(block.reason == reasonBadRcpts)
			}
		}
		return now
	}
	g.bar(networks, false)
	return now
}

// bar ends the sessions of networks on which a block has begun, for guessing or for another reason.
func (g *guard) bar(networks []netip.Prefix, guessing bool) {
	if len(networks) == 0 {
		return
	}
	for _, s := range g.watched() {
		held := slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(s.client.Addr()) })
		if !held || s.blocked.Load() {
			continue
		}
		// Without the ledger nobody has lifted it. The reason counts, since look may find the block
		// before the session that has begun it gets here.
		if block, err := g.blockOf(s); err != nil || block.left > 0 {
			s.bar(guessing || block.reason == reasonBadRcpts)
		}
	}
}

// lifted says whether no block runs on the client's network any more. Without the ledger nobody has
// lifted it.
func (g *guard) lifted(s *session) bool {
	block, err := g.blockOf(s)
	return err == nil && block.left == 0
}

// bar lets the session hear nothing but 421 from now on, and ends it after the grace. Whose process
// has only this client has been ended by then. If they are guessing, one without a message on its
// way does not last so long: it has nothing to read, and could try one more name, which sendmail
// turns down before it asks us. One that is not greeted yet has its 421 to read instead.
func (s *session) bar(guessing bool) {
	if s.blocked.Swap(true) || !s.greeted.Load() || s.config.Mode == config.Observe || !s.config.Block.Kill {
		return
	}
	wait := s.config.Block.Grace + killTime
	if guessing && !s.busy.Load() {
		wait = 0
	}
	time.AfterFunc(wait, func() {
		if !s.guard.lifted(s) {
			s.cut()
		}
	})
}

// watched are the sessions.
func (g *guard) watched() []*session {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*session, 0, len(g.sessions))
	for s := range g.sessions {
		all = append(all, s)
	}
	return all
}

// reopenLedger opens the ledger again if it is time for that.
func (g *guard) reopenLedger() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.door.Ledger.Outdated() {
		g.door.OpenLedger()
	}
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

// dismiss ends the sessions that are left. Their MTAs go on without us.
func (g *guard) dismiss() {
	for _, s := range g.watched() {
		_ = s.wire.Close() // its own goroutine notices, and ends it
	}
	for deadline := time.Now().Add(partingTime); len(g.watched()) > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	g.pay(time.Now())
	g.enforce.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.door.Ledger.Close()
}
