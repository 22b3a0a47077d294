package guard

import (
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/milter"
)

// Options say what a guard is made of.
type Options struct {
	File  string // the configuration
	LogTo func(config.LogTarget) maillog.Log
}

// guard is one process and the sessions it watches. Each session is a goroutine; what
// they share is here.
type guard struct {
	Options
	config  atomic.Pointer[config.Config]
	at      config.Listen // where it has opened a socket of its own
	enforce *enforce.Queue
	remarks *remarks
	macros  string // that are asked for; the same for all sessions
	clerk   clerk
	debts   debts
	bounces bounces
	seed    maphash.Seed
	cutting sync.Mutex // clients off: there may be a thousand at once, and each takes descriptors
	stop    context.Context

	packetTime, idleTime, longestDelay time.Duration // the constants of these names; tests do not wait for so long

	mu       sync.Mutex // of all that follows
	door     *wrapper.Door
	sessions map[*session]struct{}
	places   int // for how many more
}

// spareDescriptors are left to ourselves: ledger, log, transcripts, programs, a configuration to
// read.
const spareDescriptors = 64

// Run serves the milter protocol until SIGTERM or SIGINT; SIGHUP has it read its configuration
// anew. An error is one of our own: it could not begin.
func Run(o Options) error {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // before the configuration is read: one who has changed it since says so

	cfg, wrong := config.Load(o.File, allowlist.All())
	if cfg == nil {
		return wrong
	}
	g, err := newGuard(stop, o, cfg)
	if err != nil {
		return err
	}
	g.complain(wrong, config.LineSkipped)
	listeners, err := g.listeners()
	if err != nil {
		return err
	}
	for _, l := range listeners {
		go g.accept(l)
	}
	for _, l := range listeners {
		g.note("guard: listening at " + l.Addr().String())
	}
	g.enforce.Configure(cfg, o.LogTo(cfg.Log)) // it may allow more than when on_block was told last
	g.watch(hup)
	for _, l := range listeners {
		_ = l.Close()
	}
	g.dismiss()
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
		places: max(int(min(limit.Cur, 1<<30))-spareDescriptors, 16),
		door:   wrapper.NewGuardDoor(cfg, to),
	}
	g.macros, g.seed = wantedMacros(), maphash.MakeSeed()
	g.config.Store(cfg)
	g.remarks = &remarks{to: to}
	g.enforce = enforce.NewQueue(cfg, to)
	g.door.OpenLedger()
	return g, nil
}

// serve begins a session on the connection of an MTA.
func (g *guard) serve(c net.Conn) {
	s := &session{guard: g, wire: milter.NewConn(c, g.packetTime), mta: processOf(c), began: time.Now(),
		exempt: true, socket: -1}
	go s.await()
}

// join makes the session one that is watched.
func (g *guard) join(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sessions[s] = struct{}{}
}

// leave is the end of a session. An error is about what the MTA has sent, or has not; io.EOF is
// none once the two have agreed.
func (g *guard) leave(s *session, err error) {
	_ = s.wire.Close()
	if err != io.EOF || !s.agreed {
		why := err.Error()
		switch err {
		case io.EOF:
			why = "closed the connection and had asked for nothing; was it a monitor?"
		case io.ErrUnexpectedEOF:
			why = "closed the connection in the midst of a packet"
		}
		g.remarks.note(fmt.Sprintf("guard: process %d at %v: %s", s.mta, s.wire.LocalAddr(), why))
	}
	s.gone.Store(true)
	defer func() {
		if p := recover(); p != nil { // the other sessions have nothing to do with it
			g.remarks.note(panicked(p).Error())
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.sessions, s)
		g.places++
	}()
	s.conclude()
	s.transcript.leave()
}

// panicked is the error that a fault of our own comes to, with the place where it happened.
func panicked(p any) error {
	var pcs [8]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for frame, more := frames.Next(); more; frame, more = frames.Next() {
		if !strings.HasPrefix(frame.Function, "runtime.") {
			return fmt.Errorf("guard: panic in %s, line %d: %v; please report it", frame.Function, frame.Line, p)
		}
	}
	return fmt.Errorf("guard: panic: %v; please report it", p)
}

// inLedger runs work on the ledger. An error means that it was not done; it has been logged, unless
// only too many others wanted the ledger at once.
func (g *guard) inLedger(work func(*ledger.Tx)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.door.Ask(work)
}

// blockOf is the block that runs on the client's network. An error means that it cannot be told.
func (g *guard) blockOf(s *session) (block sentence, err error) {
	err = g.inLedger(func(t *ledger.Tx) {
		if b, runs := t.BlockOf(s.client.Addr(), s.network); runs {
			block = sentence{left: b.Left, reason: b.Reason}
		}
	})
	return block, err
}

// blockBegan carries out a block that a session has earned.
func (g *guard) blockBegan(b enforce.Block) {
	g.enforce.Add(b)
	g.bar([]netip.Prefix{b.Network}, true)
}

// sleep is for a session that has to wait; a guard that ends lets it go on.
func (g *guard) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-g.stop.Done():
	}
}

// log is where lines go.
func (g *guard) log() maillog.Log {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.door.Log
}

// complain logs what is wrong with a configuration, and what becomes of that.
func (g *guard) complain(wrong error, fate string) {
	for _, line := range config.LogLines(wrong, fate) {
		g.warn(line)
	}
}

func (g *guard) note(text string) { _ = g.log().Write(maillog.Info, text) }

func (g *guard) warn(text string) { _ = g.log().Write(maillog.Warning, text) }
