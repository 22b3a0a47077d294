package enforce

import (
	"fmt"
	"net/netip"
	"time"

	"sendwrap/exec"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// Block is a block that has begun.
type Block struct {
	Network netip.Prefix
	For     time.Duration // 0: the block has been ended by hand, for [Enforcer.RunHook] alone
	Reason  string
	ByHand  bool // see [ledger.BlockedNetwork]
}

// Enforcer carries out blocks for a process that can wait.
type Enforcer struct {
	Config *config.Config // with all networks, or at least those that overlap the block's
	Log    maillog.Log
	Now    bool // end sessions at once, whatever kill, grace and mode say

	hooks    *exec.Hooks   // nil: made when needed
	patience time.Duration // for a slot to run on_block; 0: the usual one
}

// Outcome is what was done about a block.
type Outcome struct {
	Exemption
	HookRan bool                    // on_block has run, and succeeded
	Ended   int                     // sessions that were ended
	Allowed int                     // sessions left alone because their clients are allowed
	InRoom  int                     // clients in a room, which refuses them itself
	Dropped []ledger.BlockedNetwork // oldest blocks, ended because there were too many
	Failed  []error                 // what could not be done; the log has it, too
}

// CarryOut does what is to be done about a block that has begun, and returns when it is done:
// on_block has ended, and the sessions have their signal. If there are no sessions it does not wait
// for the grace, since clients that come later are refused.
//
// It takes the grace, or the time that on_block takes (at most 15 s, with the wait for a slot),
// whichever is longer. A failure is logged at level warning, ended sessions at level info. The
// block itself holds whatever happens here.
func (e *Enforcer) CarryOut(b Block) Outcome {
	q := newQueue(*e)
	defer q.stop()
	p := q.add(b)
	<-p.done
	o := p.outcome
	if p.hookErr != nil {
		o.Failed = append(o.Failed, p.hookErr)
	}
	o.HookRan = p.hookErr == nil && o.OnBlock == ""
	return o
}

// LookForWork looks whether more is to be done about the block than [Enforcer.Trim]: whether
// on_block runs, or the ledger has sessions to end. Only that takes a configuration with all its
// networks: loading 100,000 of them takes a second, so a process whose configuration has the
// networks of one client looks first. It opens the ledger and changes nothing.
func (e *Enforcer) LookForWork(b Block) bool {
	switch c := e.Config; {
	case c.Mode == policy.Observe, c.IgnoresBlock(b.ByHand):
		return false
	case c.OnBlock != nil:
		return true
	case !c.Block.Kill:
		return false
	}
	l := ledger.Handle{Options: ledger.Options{Path: e.Config.Ledger.Path}}
	if l.OpenExisting() != nil {
		return false // without the ledger nothing can be done
	}
	defer l.Close()
	p := &pendingBlock{Block: b}
	e.visitSessions(l.Ledger, []*pendingBlock{p})
	return p.needsVisit()
}

// open opens the ledger. A Ledger is not for several goroutines: each piece of work opens its own.
func (e *Enforcer) open() (*ledger.Ledger, error) {
	l := ledger.Handle{Options: ledger.Options{
		Path: e.Config.Ledger.Path, Clients: e.Config.Ledger.Clients,
		Without: "a block is not carried out", Warn: e.warn,
	}}
	err := l.Open()
	return l.Ledger, err
}

// Trim ends the oldest blocks if there are too many, and does nothing else about a block that has
// begun.
func (e *Enforcer) Trim() {
	if l, err := e.open(); err == nil {
		e.trim(l)
		_ = l.Close()
	}
}

func (e *Enforcer) trim(l *ledger.Ledger) []ledger.BlockedNetwork {
	most := e.Config.Block.MaxEntries
	dropped, err := l.Trim(ledger.Now(), most)
	if err != nil {
		e.warn(fmt.Sprintf("%s: %v; there may be more than %d blocks for a while",
			e.Config.Ledger.Path, err, most))
	}
	if n := len(dropped); n > 0 {
		line := maillog.NewLine("DROP").Int("blocks", n).Int("max_entries", most)
		_ = e.Log.Write(maillog.Info, line.String())
	}
	return dropped
}

func (e *Enforcer) warn(text string) {
	_ = e.Log.Write(maillog.Warning, text) // a log that fails must not stop the work
}
