package wrapper

import (
	"net/netip"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// What only a room's door has to do.

// NewRoomDoor is the door of a process that holds many sessions. It has no ledger yet.
func NewRoomDoor(p *policy.Policy, log maillog.Log) *Door {
	d := newManyDoor(p, log)
	d.identify()
	d.Process.Shared, d.room = true, true
	d.Ledger.Room, d.Ledger.Build = d.Process, Version
	return d
}

// NewGuardDoor is the door of a guard, which has many clients, too, but counts no sessions. It has
// no ledger yet.
func NewGuardDoor(p *policy.Policy, log maillog.Log) *Door {
	d := newManyDoor(p, log)
	d.Ledger.Guard = ledger.Self()
	return d
}

func newManyDoor(p *policy.Policy, log maillog.Log) *Door {
	HostName(p.Settings) // which is not looked up for each refusal then
	d := NewDoor(p, log)
	d.Ledger.Many = true
	return d
}

func nobody(ledger.Session) bool { return false }

// Orphans are the sessions that an earlier room was about to transfer to an MTA when it was killed.
// The caller looks for that MTA and calls Adopt.
func (d *Door) Orphans() (all []ledger.Orphan) {
	_ = d.Ledger.Run(func(t *ledger.Tx) { all = t.Orphans() })
	return all
}

// Adopt transfers an orphan to its MTA, or ends it if mta is 0.
func (d *Door) Adopt(o ledger.Orphan, mta int) {
	p, err := ledger.Identify(mta)
	_ = d.Ledger.Run(func(t *ledger.Tx) {
		if err != nil {
			t.Leave(o.Session)
			return
		}
		if _, found := t.Transfer(o.Session, p); !found { // another process has freed it meanwhile
			client := o.Client.Addr()
			var f decide.Facts
			d.rules(&f, client, true)
			s, _ := t.AddSession(
				arrival(o.Client, d.Network(client), d.countsWide(client), &f.Limits), p)
			t.Serve(s)
		}
	})
}

// Sweep frees the sessions whose processes have died, so that the first clients are not held
// against them.
func (d *Door) Sweep() {
	_ = d.Ledger.Run(func(t *ledger.Tx) { t.Totals() })
}

// RefuseAtOnce refuses a client as BUSY for which no session can be kept.
func (d *Door) RefuseAtOnce(fd int, client netip.Addr) {
	sayLast(fd, Reply(decide.Busy, client, d.Policy.Settings))
	d.count(decide.Busy)
	d.Ledger.CountTrouble(ledger.NoDescriptor, 1)
	if endOurs(fd) {
		Drain(fd)
	}
}
