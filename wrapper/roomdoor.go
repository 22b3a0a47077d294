package wrapper

import (
	"errors"
	"net/netip"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// What only a room's door has to do.

// NewRoomDoor is the door of a process that holds many sessions. It has no ledger yet.
func NewRoomDoor(c *config.Config, log maillog.Log) *Door {
	HostName(c) // which is not looked up for each refusal then
	d := NewDoor(c, log)
	d.Process.Shared, d.signs = true, true
	return d
}

// NewGuardDoor is the door of a guard, which is one for many clients as well, but holds none of them
// while they wait: it does not sign as a room.
func NewGuardDoor(c *config.Config, log maillog.Log) *Door {
	d := NewRoomDoor(c, log)
	d.signs = false
	return d
}

// What a room can spare for the ledger: while it waits for the lock none of its clients gets on.
// One that had to give up leaves the ledger alone for a while, and goes on as if it had asked once
// more.
const (
	roomPatience = 100 * time.Millisecond // where others get the lock all the time
	crowdedRest  = 50 * time.Millisecond  // after that
	busyRest     = time.Second            // after whoever has the lock did not go on
)

// ledgerPause is the time in which a room leaves the ledger alone.
type ledgerPause struct {
	until time.Duration // Moment.Boot
	why   error         // the last thing that could not be done, since Missed was asked
	owing bool
}

// over is nil if the ledger may be asked, else the error that it would give.
func (p *ledgerPause) over(now ledger.Moment) error {
	if now.Boot < p.until {
		p.owing = true
		return p.why
	}
	return nil
}

func (p *ledgerPause) begin(now ledger.Moment, why error) {
	p.owing = true
	switch {
	case errors.Is(why, ledger.ErrBusy):
		p.until, p.why = now.Boot+busyRest, why
	case why == ledger.ErrCrowded:
		p.until, p.why = now.Boot+crowdedRest, why
	}
}

// Owing says whether there is something that the ledger could not be told, since [Door.FreeOthers]
// has last put that right: then it may count sessions in our name that are no more.
func (d *Door) Owing() bool { return d.pause.owing }

// FreeOthers frees the sessions in our name but for those that are ours, and reports whether that
// could be done.
func (d *Door) FreeOthers(ours func(ledger.Session) bool) bool {
	owing := d.pause.owing
	d.pause.owing = false
	err := d.inLedger(func(t *ledger.Tx) { t.Keep(d.Process, ours) })
	if err != nil {
		d.pause.owing = owing
	}
	return err == nil
}

// CloseLedger leaves the ledger, and takes back what stands there in our name.
func (d *Door) CloseLedger() {
	if d.Ledger == nil {
		return
	}
	d.FreeOthers(nobody)
	if d.Ledger != nil {
		_ = d.Ledger.Close()
	}
	d.Ledger, d.pause = nil, ledgerPause{}
}

func nobody(ledger.Session) bool { return false }

// Begun is [ledger.Ledger.Begun], for who holds clients that wait; without a ledger nothing has
// begun. While there is no news it costs nothing.
func (d *Door) Begun(since uint64) (networks []netip.Prefix, now uint64, all bool) {
	if d.Ledger == nil || d.pause.why != nil && d.pause.over(ledger.Now()) != nil {
		return nil, since, false
	}
	return d.Ledger.Begun(since)
}

// Orphans are the sessions that a room before us was about to give to an MTA when it was killed:
// somebody must look for that, and call Adopt.
func (d *Door) Orphans() (all []ledger.Orphan) {
	_ = d.inLedger(func(t *ledger.Tx) { all = t.Orphans() })
	return all
}

// Adopt gives an orphan to its MTA, or ends it if that is 0.
func (d *Door) Adopt(o ledger.Orphan, mta int) {
	p, err := ledger.Identify(mta)
	_ = d.inLedger(func(t *ledger.Tx) {
		if err != nil {
			t.Leave(o.Session)
			return
		}
		if _, there := t.Hand(o.Session, p); !there { // somebody has freed it meanwhile
			s, _ := t.Enter(d.arrival(o.Client, &decide.Limits{}), p)
			t.Serve(s)
		}
	})
}

// Sweep frees the sessions whose processes have died, so that the first clients are counted
// rightly.
func (d *Door) Sweep() {
	_ = d.inLedger(func(t *ledger.Tx) { t.Totals() })
}

// RefuseUnheld refuses a client whom we cannot even hold while we decide.
func (d *Door) RefuseUnheld(fd int, client netip.Addr) {
	sayLast(fd, reply(decide.Busy, d.Config.OnPregreet, client, d.Config))
	if d.inLedger(func(t *ledger.Tx) { t.Count(int(decide.Busy)) }) != nil {
		d.countApart(decide.Busy)
	}
	if endOurs(fd) {
		Drain(fd)
	}
}

// Restore makes a session again that [Session.Save] has written down, and whose client is on fd.
// The rules of this door hold for it, but for the delay, which has begun.
func (d *Door) Restore(fd int, saved Saved) *Session {
	s := d.NewSession(Connection{FD: fd, Client: saved.Client, Server: saved.Server})
	s.Verdict, s.counted, s.stood = saved.Verdict, saved.Counted, saved.Stood
	s.facts.Conns, s.facts.Known = saved.Conns, saved.Known
	s.delay, s.waited, s.turn = saved.Delay, saved.Delay, saved.Turn
	return s
}

// Saved is a session as one program leaves it to the next, in JSON.
type Saved struct {
	Client, Server netip.AddrPort
	Verdict        decide.Verdict
	Counted        ledger.Session
	Stood          bool
	Conns          int           // of its network, when it arrived
	Known          bool          // and whether it was
	Delay          time.Duration // what is decided under way may be another's by now
	Turn           time.Duration
}
