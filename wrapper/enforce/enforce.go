package enforce

import (
	"fmt"
	"net/netip"
	"time"

	"sendwrap/exec"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// Block is one that has begun.
type Block struct {
	Network netip.Prefix
	For     time.Duration // 0 = it, and all within, was ended by hand: for [Enforcer.Tell] alone
	Reason  string
}

// Enforcer carries out blocks for a process that has time for it.
type Enforcer struct {
	Config *config.Config // with all its networks, at least all that have to do with the block's
	Log    maillog.Log
	Now    bool // end sessions at once, whatever the configuration says of kill, grace and mode

	hooks    *exec.Hooks   // nil: made when they are needed
	patience time.Duration // for a slot to run on_block; 0 = slotPatience
}

// Deeds are what came of a block.
type Deeds struct {
	Spared
	Told    bool                    // on_block has run
	Ended   int                     // sessions
	Allowed int                     // sessions that go on, since their clients are allowed
	InRoom  int                     // clients in a room, which refuses them itself
	Dropped []ledger.BlockedNetwork // the oldest blocks, ended because there were too many
	Failed  []error                 // what could not be done; the log has it, too
}

// CarryOut does what is to be done about a block that has begun, and returns when it is done:
// on_block has ended, and the sessions have their signal. Where there are no sessions it does not
// wait for the grace: a client that comes later is refused.
//
// It takes the grace, or the time that on_block takes (with the wait for a slot 15 s at most),
// whichever is longer. What could not be done is logged at level warning, that sessions were ended
// at level info. Nothing of it can make the block itself fail.
func (e *Enforcer) CarryOut(b Block) Deeds {
	o := &order{Block: b, begun: time.Now(), deeds: Deeds{Spared: Spare(e.Config, b.Network)}}
	d := &o.deeds
	if d.Spared.Block != "" {
		return *d
	}
	told := make(chan error, 1)
	go func() { told <- e.Tell(b) }() // which may be spared that
	if l, err := e.open(); err != nil {
		d.Failed = append(d.Failed, err)
	} else {
		d.Dropped = e.trim(l)
		e.endSessions(l, o)
		_ = l.Close()
	}
	if err := <-told; err != nil {
		d.Failed = append(d.Failed, err)
	} else {
		d.Told = d.OnBlock == ""
	}
	return *d
}

// NeedsNetworks says whether all networks of the configuration are needed to carry out the block:
// that is so if on_block runs, or there are sessions to end. It is for a process whose
// configuration has only the networks that hold one client. To load 100,000 of them takes a second.
func (e *Enforcer) NeedsNetworks(b Block) bool {
	switch c := e.Config; {
	case c.Mode == config.Observe:
		return false
	case c.OnBlock != nil:
		return true
	case !c.Block.Kill:
		return false
	}
	l := ledger.Handle{Options: ledger.Options{Path: e.Config.Ledger.Path}}
	if l.OpenExisting() != nil {
		return false // to know more networks would be of no help
	}
	defer l.Close()
	o := &order{Block: b}
	e.visit(l.Ledger, []*order{o}, count)
	return o.deeds.Ended > 0 || o.again()
}

// endSessions ends the sessions of the order's network after the grace.
func (e *Enforcer) endSessions(l *ledger.Ledger, o *order) {
	if e.Now {
		o.deeds.Sessions = ""
	}
	if o.deeds.Sessions != "" {
		return
	}
	defer e.report(o)
	if !e.Now {
		e.visit(l, []*order{o}, count)
		if o.deeds.Ended == 0 && !o.again() {
			return
		}
		o.deeds.Ended, o.visits = 0, 0
		time.Sleep(e.Config.Block.Grace)
	}
	for e.visit(l, []*order{o}, end); o.again(); e.visit(l, []*order{o}, end) {
		time.Sleep(visitAgain)
	}
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

// trim is Trim with the ledger at hand.
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

// report writes what became of the sessions, if anything did.
func (e *Enforcer) report(o *order) {
	d := &o.deeds
	if o.unseen != nil {
		d.Failed = append(d.Failed, o.unseen)
	}
	if d.Ended > 0 {
		line := maillog.NewLine("END").Str("network", o.Network.String()).Int("ended", d.Ended)
		if d.Allowed > 0 {
			line.Int("allowed", d.Allowed)
		}
		_ = e.Log.Write(maillog.Info, line.Str("reason", Word(o.Reason)).String())
	}
	for _, err := range d.Failed {
		e.warn(err.Error())
	}
}

func (e *Enforcer) warn(text string) {
	_ = e.Log.Write(maillog.Warning, text) // a log that fails is nothing to fail for
}

// longestReason is how much of a reason the ledger keeps.
const longestReason = 32

// Word is a reason as the ledger keeps it, and as the log and on_block get it: one word.
func Word(reason string) string {
	word := []byte(reason[:min(len(reason), longestReason)])
	for i, b := range word {
		if b <= ' ' || b >= 0x7f {
			word[i] = '_'
		}
	}
	return string(word)
}
