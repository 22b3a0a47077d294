// Package try shows sendwrap at work on loopback. A small super-server starts it for real clients
// over TCP, or starts it once with the listening socket (a room). Each client behaves in its own
// way, and what it reads is compared with what sendwrap(8) promises. Clients that guess addresses
// are sent to an MTA that asks a guard: a real sendmail where possible.
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

// Options say what to try.
type Options struct {
	Program string         // sendwrap's own path
	Config  *config.Config // nil = built in, with a short greet delay; no MTA = a stand-in
	File    string         // where Config was read from
	Errors  int            // in File
	Room    bool           // one sendwrap for all clients
	Slow    bool           // a slow machine: only minutes are too late
	Out     io.Writer
	Log     *os.File                // where Listen sends sendwrap's log
	Status  func(file string) error // prints the status of the ledger that a configuration names
}

// ErrUnexpected means that a client saw something else than it should have. Run has printed what.
var ErrUnexpected = errors.New("not all scenes went as expected")

// ErrInterrupted means that a signal has ended the show.
var ErrInterrupted = errors.New("interrupted")

// Run plays all scenes, prints a line for each, and then the status. It takes two greet delays and
// a few seconds; a scene that hangs is given up. SIGINT, SIGTERM and SIGHUP end it early. It leaves
// no process and no file behind.
func Run(o Options) (err error) {
	ctx, stop := untilSignal()
	defer stop()
	s, err := open(o, "127.0.0.1:0", nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.openGuarded(ctx); err != nil {
		return err
	}
	if err := s.startGuard(nil); err != nil {
		return err
	}

	p := &printer{out: o.Out}
	p.println(s.describe())
	if !s.standIn {
		p.println("               postmaster receives two messages")
	}
	p.println("")
	p.header()
	scenes, failed := s.scenes(), 0
	for _, sc := range scenes {
		p.begin(sc)
		r, err := sc.perform(ctx, s)
		if err != nil {
			p.println("")
			return err
		}
		p.end(sc, r)
		if len(r.problems) > 0 {
			failed++
		}
		if p.err != nil {
			return p.err
		}
	}
	p.println("")
	if err := o.Status(s.file); err != nil {
		return err
	}
	if failed > 0 {
		p.print("\n%d of %d scenes did not go as expected\n", failed, len(scenes))
		return ErrUnexpected
	}
	p.print("\nall %d scenes went as expected%s\n", len(scenes), o.fileErrors())
	return p.err
}

// fileErrors mentions the errors of File, if it has any.
func (o Options) fileErrors() string {
	switch o.Errors {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(", but %s has 1 error", o.File)
	}
	return fmt.Sprintf(", but %s has %d errors", o.File, o.Errors)
}

// result is what a scene has come to.
type result struct {
	sights   []sight
	verdicts counts // nil: the scene has none
	problems []string
	note     string // printed below the line of the scene
}

// perform plays the scene. An error means that the show cannot go on.
func (sc scene) perform(ctx context.Context, s *stage) (result, error) {
	if sc.special != nil {
		return sc.special(ctx)
	}
	return s.play(ctx, sc)
}

// play plays a scene of clients until the last of its processes has ended, so that the ledger has
// counted all of it.
func (s *stage) play(ctx context.Context, sc scene) (result, error) {
	r, err := s.counted(ctx, func() (sights []sight, problems []string) {
		server := s.server
		var guardErr error
		if sc.guarded {
			server = s.guarded
			guardErr = s.guard.waitReady(ctx, s.patience)
		}
		limited, cancel := context.WithTimeout(ctx, sc.want.longest()+s.patience)
		defer cancel()
		var arrived atomic.Int32
		sights = sc.play(func(from netip.Addr) (*client, error) {
			c, err := dial(limited, from, server.address())
			if err == nil {
				arrived.Add(1)
			}
			return c, err
		})
		problems = server.awaitExits(ctx, int(arrived.Load()), s.exitTime)
		if sc.guarded && guardErr == nil {
			guardErr = s.guard.failure()
		}
		if guardErr != nil {
			problems = append(problems, guardErr.Error())
		}
		return sights, problems
	})
	if err != nil {
		return result{}, err
	}
	r.problems = append(sc.want.judge(r.sights, r.verdicts), r.problems...)
	if line := s.newMTAStderr(); line != "" && len(r.problems) > 0 {
		r.problems = append([]string{"the MTA wrote to stderr: " + line}, r.problems...)
	}
	return r, nil
}

// counted is the result of a scene, with the verdicts that the ledger counted meanwhile.
func (s *stage) counted(ctx context.Context, play func() ([]sight, []string)) (
	r result, err error) {
	before, err := totals(s.ledger)
	if err != nil {
		return r, err
	}
	r.sights, r.problems = play()
	if ctx.Err() != nil {
		return r, ErrInterrupted
	}
	after, err := totals(s.ledger)
	r.verdicts = since(before, after)
	return r, err
}
