package guard

import (
	"context"
	"hash/maphash"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/reload"
)

// Options say what a guard is made of.
type Options struct {
	File  string // the configuration
	LogTo func(policy.LogTarget) maillog.Log
}

// guard is one process and the sessions that it watches. Each session is a goroutine; this is what
// they share.
type guard struct {
	Options
	config       atomic.Pointer[config.Config]
	at           policy.Listen // of the socket that it has opened itself
	enforce      *enforce.Queue
	remarks      *remarks
	macros       string     // that it asks for; the same for all sessions
	transcriptMu sync.Mutex // one transcript is written at a time, so that their sum stays bounded
	unwritten    unwritten
	bounces      bounces
	seed         maphash.Seed
	socketMu     sync.Mutex // of work on MTAs' sockets, which takes descriptors
	stop         context.Context

	// The constants of these names; tests shorten them.
	packetTime, idleTime, longestDelay time.Duration

	mu       sync.Mutex // of all that follows
	door     *wrapper.Door
	sessions map[*session]struct{}
	places   int // for further sessions
}

// ownDescriptors are left for the ledger, the log, transcripts, programs and the configuration.
const ownDescriptors = 64

// Run serves the milter protocol until SIGTERM or SIGINT. At SIGHUP it reloads its configuration.
// An error means that it could not start.
func Run(o Options) error {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // before the first load: no SIGHUP after it may be lost

	cfg, mistakes := reload.Load(o.File)
	if cfg == nil {
		return mistakes
	}
	g, err := newGuard(stop, o, cfg)
	if err != nil {
		return err
	}
	reload.LogMistakes(g.log(), mistakes, config.LineSkipped)
	listeners, err := g.listeners()
	if err != nil {
		return err
	}
	for _, l := range listeners {
		go g.accept(l)
		g.note("guard: listening on " + l.Addr().String())
	}
	// Networks may have become allowed since on_block ran.
	g.enforce.Configure(cfg, o.LogTo(cfg.Log))
	g.watch(hup)
	for _, l := range listeners {
		_ = l.Close()
	}
	g.shutdown()
	g.note("guard: ended")
	return nil
}

func newGuard(stop context.Context, o Options, cfg *config.Config) (*guard, error) {
	var limit syscall.Rlimit
	// Go has raised the soft limit to the hard one when it started.
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil, os.NewSyscallError("getrlimit", err)
	}
	to := o.LogTo(cfg.Log)
	g := &guard{
		Options: o, stop: stop, sessions: map[*session]struct{}{},
		packetTime: packetTime, idleTime: idleTime, longestDelay: longestDelay,
		places: max(int(min(limit.Cur, 1<<30))-ownDescriptors, 16),
		door:   wrapper.NewGuardDoor(cfg.Policy(), to),
	}
	g.macros, g.seed = wantedMacros(), maphash.MakeSeed()
	g.config.Store(cfg)
	g.remarks = newRemarks(g.log)
	g.enforce = enforce.NewQueue(cfg, to)
	g.door.OpenLedger()
	return g, nil
}

// shutdown ends all sessions; their MTAs go on without the guard. It waits at most shutdownTime.
func (g *guard) shutdown() {
	for _, s := range g.allSessions() {
		_ = s.wire.Close() // its goroutine notices, and ends the session
	}
	deadline := time.Now().Add(shutdownTime)
	for len(g.allSessions()) > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	g.writePending(time.Now())
	g.enforce.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.door.Ledger.Close()
}

// inLedger runs work on the ledger. An error means that it was not done; it has been logged, unless
// the ledger was only crowded.
func (g *guard) inLedger(work func(*ledger.Tx)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.door.Ledger.Run(work)
}

// sleep delays a session. It returns early when the guard ends.
func (g *guard) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-g.stop.Done():
	}
}

func (g *guard) log() maillog.Log {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.door.Log
}

func (g *guard) note(text string) { _ = g.log().Write(maillog.Info, text) }

func (g *guard) warn(text string) { _ = g.log().Write(maillog.Warning, text) }
