package enforce

import (
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// pendingBlock is a block that is being carried out. It has two tasks, each for a goroutine of its
// own: on_block runs, and the sessions end.
type pendingBlock struct {
	Block
	done chan struct{} // closed when both tasks are done

	// These belong to the queue, under its mutex.
	tasks     int       // not yet done
	hook      Block     // the latest block of the network, for which on_block is to run
	hookEnd   time.Time // when that ends
	hookTaken bool      // on_block runs for it, or has run
	hookErr   error
	due       time.Time // of the next visit to the sessions

	// These belong to the goroutine that ends sessions.
	outcome  Outcome
	since    time.Time
	hurried  bool                           // the grace is cut short
	ending   bool                           // the grace is over: visits end sessions
	visits   int                            // while ending
	toEnd    int                            // sessions that a visit counted during the grace
	moving   bool                           // a session is on its way from a room to an MTA
	waking   bool                           // a process that waits for its client has been woken
	visitErr error                          // why the sessions could not be visited
	sent     map[ledger.Process]unix.Signal // what each process has been sent
}

// needsVisit reports whether the sessions must be visited again.
func (p *pendingBlock) needsVisit() bool {
	return p.toEnd > 0 || p.waking || (p.moving || p.visitErr != nil) && p.visits < maxVisits
}

// step does what is due for these blocks, in one visit to all their sessions: during the grace it
// counts those to end, after the grace it ends them.
func (e *Enforcer) step(due []*pendingBlock) {
	var visit []*pendingBlock
	for _, p := range due {
		p.toEnd, p.moving, p.waking, p.visitErr = 0, false, false, nil // of the last visit
		p.outcome.Allowed, p.outcome.InRoom = 0, 0
		p.outcome.Exemption = Exempt(e.Config, p.Block)
		if e.Now && p.outcome.Exemption.Block == "" {
			p.outcome.Sessions = ""
		}
		p.ending = e.Now || p.hurried || time.Since(p.since) >= e.Config.Block.Grace
		if p.outcome.Sessions == "" {
			visit = append(visit, p)
		}
	}
	l, err := e.open()
	if err != nil {
		for _, p := range due {
			p.outcome.Failed = append(p.outcome.Failed, err)
		}
		return
	}
	defer l.Close()
	due[0].outcome.Dropped = append(due[0].outcome.Dropped, e.trim(l)...)
	if len(visit) > 0 {
		e.visitSessions(l, visit)
	}
}

// report logs what became of the sessions, if there were any.
func (e *Enforcer) report(p *pendingBlock) {
	if p.visitErr != nil {
		e.fail(p, p.visitErr)
	}
	if o := &p.outcome; o.Ended > 0 {
		line := maillog.NewLine("END").Str("network", p.Network.String()).Int("ended", o.Ended)
		if o.Allowed > 0 {
			line.Int("allowed", o.Allowed)
		}
		line.Str("reason", ledger.ReasonWord(p.Reason))
		_ = e.Log.Write(maillog.Info, line.String())
	}
}

func (e *Enforcer) fail(p *pendingBlock, err error) {
	p.outcome.Failed = append(p.outcome.Failed, err)
	e.warn(err.Error())
}
