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
	d.Process.Shared, d.room = true, true
	return d
}

// NewGuardDoor is the door of a guard, which is one for many clients as well. None of them waits in
// it, so it is no room.
func NewGuardDoor(c *config.Config, log maillog.Log) *Door {
	d := NewRoomDoor(c, log)
	d.room = false
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

// Orphans are the sessions that an earlier room was about to transfer to an MTA when it was killed.
// The caller looks for that MTA and calls Adopt.
func (d *Door) Orphans() (all []ledger.Orphan) {
	_ = d.inLedger(func(t *ledger.Tx) { all = t.Orphans() })
	return all
}

// Adopt transfers an orphan to its MTA, or ends it if mta is 0.
func (d *Door) Adopt(o ledger.Orphan, mta int) {
	p, err := ledger.Identify(mta)
	_ = d.inLedger(func(t *ledger.Tx) {
		if err != nil {
			t.Leave(o.Session)
			return
		}
		if _, found := t.Hand(o.Session, p); !found { // another process has freed it meanwhile
			client := o.Client.Addr()
			a := ledger.Arrival{
				Client: o.Client, Network: d.Network(client), Wide: d.countsWide(client),
			}
			s, _ := t.AddSession(a, p)
			t.Serve(s)
		}
	})
}

// Sweep frees the sessions whose processes have died, so that the first clients are not held
// against them.
func (d *Door) Sweep() {
	_ = d.inLedger(func(t *ledger.Tx) { t.Totals() })
}

// RefuseAtOnce refuses a client as BUSY for which no session can be kept.
func (d *Door) RefuseAtOnce(fd int, client netip.Addr) {
	sayLast(fd, Reply(decide.Busy, client, d.Config))
	d.count(decide.Busy)
	if endOurs(fd) {
		Drain(fd)
	}
}
