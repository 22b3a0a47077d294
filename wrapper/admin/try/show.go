// Package try shows sendwrap at work on loopback: a small super-server starts it for real clients over TCP, each of
// which behaves in a way of its own, and what they see is held against what sendwrap(8) says.
package try

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"sendwrap/wrapper/config"
)

// Options say what is to be tried.
type Options struct {
	Program string         // sendwrap's own path
	Config  *config.Config // nil = the one built in, with a short greet delay
	File    string         // from which Config was read
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

	p := &printer{out: o.Out}
	p.say(s.describe(o))
	if !s.standIn {
		p.say("               postmaster gets two mails")
	}
	p.say("")
	show, wrong := scenes(s.config, s.standIn), 0
	for _, sc := range show {
		p.begin(sc)
		seen, err := s.play(ctx, sc)
		if err != nil {
			p.say("")
			return err
		}
		p.end(seen)
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
		p.say(fmt.Sprintf("\n%d of %d scenes did not go as they should", wrong, len(show)))
		return ErrUnexpected
	}
	p.say(fmt.Sprintf("\nall %d scenes went as they should", len(show)))
	return p.err
}

// seen is what there was to see of a scene.
type seen struct {
	sights   []sight
	verdicts counts
	wrong    []string
}

// play plays one scene until its last process has ended, so that the ledger has counted all of it. An error
// means that the show cannot go on.
func (s *stage) play(ctx context.Context, sc scene) (seen, error) {
	before, err := s.totals()
	if err != nil {
		return seen{}, err
	}
	patience, cancel := context.WithTimeout(ctx, sc.want.longest()+s.patience)
	defer cancel()
	var arrived atomic.Int32
	sights := sc.play(func() (*client, error) {
		c, err := dial(patience, sc.who, s.server.address())
		if err == nil {
			arrived.Add(1)
		}
		return c, err
	})
	wrong := s.settle(ctx, int(arrived.Load()))
	if ctx.Err() != nil {
		return seen{}, ErrInterrupted
	}
	after, err := s.totals()
	if err != nil {
		return seen{}, err
	}
	verdicts := since(before, after)
	return seen{sights, verdicts, append(sc.want.judge(sights, verdicts), wrong...)}, nil
}

// settle waits for the processes of so many clients, and says what was wrong with their ends. One that does not end is
// killed, so that the next scene is not blamed for it.
func (s *stage) settle(ctx context.Context, clients int) (wrong []string) {
	gone := s.server.departures(ctx, clients, s.ending)
	if left := clients - len(gone); left > 0 && ctx.Err() == nil {
		wrong = append(wrong, fmt.Sprintf("%d of %d processes did not end", left, clients))
		s.server.signal(os.Kill)
		s.server.departures(ctx, left, s.ending)
	}
	for _, d := range gone {
		switch {
		case d.err != nil:
			wrong = append(wrong, d.err.Error())
		case s.standIn && !d.state.Success(): // what a real MTA's code means is its own affair
			wrong = append(wrong, fmt.Sprintf("process %d: %v", d.pid, d.state))
		}
	}
	return wrong
}
