// Package try shows sendwrap at work on loopback: a small super-server starts it for real clients over TCP, or starts it
// once with the listening socket. Each client behaves in a way of its own, and what they see is held against what
// sendwrap(8) says. Those that guess names come to an MTA that asks a guard: a real sendmail where that can be.
package try

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync/atomic"

	"sendwrap/wrapper/config"
)

// Options say what is to be tried.
type Options struct {
	Program string         // sendwrap's own path
	Config  *config.Config // nil = the one built in, with a short greet delay; no MTA = a stand-in
	File    string         // from which Config was read
	Errors  int            // that File has
	Room    bool           // one sendwrap for all clients
	Slow    bool           // so is this machine: what is late is not wrong for minutes
	Out     io.Writer
	Log     *os.File                // where Listen lets sendwrap log
	Status  func(file string) error // prints the status of the ledger that a configuration names
}

// ErrUnexpected says that a client saw something else than it should have. Run has told what.
var ErrUnexpected = errors.New("not all scenes went as they should")

// ErrInterrupted says that a signal has ended the show.
var ErrInterrupted = errors.New("interrupted")

// Run plays all scenes, each of which is a line, and then shows the status. It takes two greet delays and a few seconds;
// a scene that hangs is given up. SIGINT, SIGTERM and SIGHUP end it early. No process or file is left behind.
func Run(o Options) (err error) {
	ctx, stop := untilTold()
	defer stop()
	s, err := open(o, "127.0.0.1:0", nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.openGuarded(ctx, o); err != nil {
		return err
	}
	if err := s.watch(o, nil); err != nil {
		return err
	}

	p := &printer{out: o.Out}
	p.say(s.describe(o))
	if !s.standIn {
		p.say("               postmaster gets two mails")
	}
	p.say("")
	scenes, wrong := s.scenes(), 0
	for _, sc := range scenes {
		p.begin(sc)
		seen, err := sc.perform(ctx, s, o.Program)
		if err != nil {
			p.say("")
			return err
		}
		p.end(sc, seen)
		if len(seen.wrong) > 0 {
			wrong++
		}
		if p.err != nil {
			return p.err
		}
	}
	p.say("")
	if err := o.Status(s.file); err != nil {
		return err
	}
	if wrong > 0 {
		p.say(fmt.Sprintf("\n%d of %d scenes did not go as they should", wrong, len(scenes)))
		return ErrUnexpected
	}
	but := ""
	if o.Errors > 0 {
		but = fmt.Sprintf(", but %s has %d error", o.File, o.Errors)
		if o.Errors > 1 {
			but += "s"
		}
	}
	p.say(fmt.Sprintf("\nall %d scenes went as they should%s", len(scenes), but))
	return p.err
}

// seen is what there was to see of a scene.
type seen struct {
	sights   []sight
	verdicts counts
	wrong    []string
	note     string // what else there is to say of it, beside the scene's own note
}

// perform plays the scene; the last one in a room is its end.
func (sc scene) perform(ctx context.Context, s *stage, program string) (seen, error) {
	switch {
	case sc.ends:
		return s.server.(*room).end(ctx, s.ending)
	case sc.abroad:
		return s.askRelay(ctx, program)
	}
	return s.play(ctx, sc)
}

// play plays one scene until its last process has ended, so that the ledger has counted all of it. An error
// means that the show cannot go on.
func (s *stage) play(ctx context.Context, sc scene) (seen, error) {
	before, err := totals(s.ledger)
	if err != nil {
		return seen{}, err
	}
	server := s.server
	var unguarded error
	if sc.guarded {
		server = s.guarded
		unguarded = s.guard.ready(ctx, s.patience)
	}
	patience, cancel := context.WithTimeout(ctx, sc.want.longest()+s.patience)
	defer cancel()
	var arrived atomic.Int32
	sights := sc.play(func(from netip.Addr) (*client, error) {
		c, err := dial(patience, from, server.address())
		if err == nil {
			arrived.Add(1)
		}
		return c, err
	})
	wrong := server.settle(ctx, int(arrived.Load()), s.ending)
	if sc.guarded && unguarded == nil {
		unguarded = s.guard.unasked()
	}
	if unguarded != nil {
		wrong = append(wrong, unguarded.Error())
	}
	if ctx.Err() != nil {
		return seen{}, ErrInterrupted
	}
	after, err := totals(s.ledger)
	if err != nil {
		return seen{}, err
	}
	verdicts := since(before, after)
	wrong = append(sc.want.judge(sights, verdicts), wrong...)
	if said := s.mtaSaid(); said != "" && len(wrong) > 0 {
		wrong = append([]string{"the MTA said: " + said}, wrong...)
	}
	return seen{sights: sights, verdicts: verdicts, wrong: wrong}, nil
}
