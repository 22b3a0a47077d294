package guard

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/emersion/go-milter"

	"sendwrap/allowlist"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// Options say what a guard is made of.
type Options struct {
	File  string // the configuration
	LogTo func(config.LogTarget) maillog.Log
}

// guard is one process and the sessions it watches. Each session is a goroutine of go-milter's; what they share is here.
type guard struct {
	Options
	config  atomic.Pointer[config.Config]
	host    string
	at      config.Listen // where it has opened a socket of its own
	enforce *enforce.Queue
	remarks *remarks
	macros  map[milter.Stage][]string // that are asked for; the same for all sessions
	clerk   clerk
	cutting sync.Mutex // clients off: there may be a thousand at once, and each takes descriptors
	stop    context.Context

	packetTime, idleTime, longestDelay time.Duration // the constants of these names; tests do not wait for so long

	mu       sync.Mutex // of all that follows
	door     *wrapper.Door
	sessions map[*session]struct{}
	came     uint64 // sessions, so far
	places   int    // for how many more
}

// spareDescriptors are left to ourselves: ledger, log, transcripts, programs, a configuration to read.
const spareDescriptors = 64

// garbage is how much of it there may be, in percent of all that is in use: go-milter makes 4 kB for each answer, and with the 100 that are
// usual in Go there is up to as much as all sessions take.
const garbage = 50

// Run serves the milter protocol until SIGTERM or SIGINT; SIGHUP has it read its configuration anew. An error is one of our
// own: it could not begin.
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
	g.complain(wrong, config.Skipped)
	debug.SetGCPercent(garbage)
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
		door:   wrapper.NewRoomDoor(cfg, to),
	}
	g.host, g.macros = g.door.Host, macros()
	g.config.Store(cfg)
	g.remarks = &remarks{to: to}
	log.SetFlags(0) // go-milter's, which has no other way to say what is wrong
	log.SetOutput(g.remarks)
	g.enforce = enforce.NewQueue(cfg, to)
	g.door.OpenLedger()
	return g, nil
}

// serve is the life of one session: the protocol is go-milter's, in a goroutine of its own.
func (g *guard) serve(c net.Conn) {
	s := &session{guard: g, mta: processOf(c), began: time.Now(), exempt: true}
	s.wire = &wire{Conn: c, packetTime: g.packetTime, idleTime: g.idleTime, closed: func() { g.leave(s) }}
	actions, protocol, err := s.wire.offer()
	if err != nil {
		g.remarks.note(fmt.Sprintf("guard: process %d at %v: %v", s.mta, c.LocalAddr(), err))
		_ = s.wire.Close()
		return
	}
	if protocol&needed != needed {
		g.remarks.note("an MTA does not tell of recipients that it has rejected (SMFIP_RCPT_REJ); sendmail 8.14 and Postfix 2.6 do")
	}
	s.noReply = protocol&milter.OptNoHeloReply != 0
	server := &milter.Server{
		NewMilter: func() milter.Milter { return s },
		Actions:   actions & milter.OptSetSymList,
		Protocol:  protocol & wanted,
		SymList:   g.macros,
	}
	_ = server.Serve(&once{s.wire}) // ends at once, the session goes on
}

// join makes the session one that is watched.
func (g *guard) join(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sessions[s] = struct{}{}
	g.came++
}

// leave is the end of a session.
func (g *guard) leave(s *session) {
	s.gone.Store(true)
	s.transcript.close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sessions, s)
	g.places++
}

// inLedger runs work on the ledger. An error means that it was not done; it has been logged, unless only too many others wanted the
// ledger at once. It is done by another goroutine:
// the stack of a session that had once been as deep as that would stay twice as large, 4 kB, for as long as it lasts.
func (g *guard) inLedger(work func(*ledger.Tx)) error {
	done := make(chan error, 1)
	go func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		done <- g.door.Ask(work)
	}()
	return <-done
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
	for _, line := range config.Told(wrong, fate) {
		g.warn(line)
	}
}

func (g *guard) note(text string) { _ = g.log().Write(maillog.Info, text) }

func (g *guard) warn(text string) { _ = g.log().Write(maillog.Warning, text) }
