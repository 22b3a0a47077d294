package wrapper

import (
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
	d.Process.Shared = true
	d.Ledger.Many, d.Ledger.Room = true, d.Process
	return d
}

// NewGuardDoor is the door of a guard, which has many clients, too, but counts no sessions. It has
// no ledger yet.
func NewGuardDoor(c *config.Config, log maillog.Log) *Door {
	HostName(c)
	d := NewDoor(c, log)
	d.Ledger.Many = true
	return d
}

func nobody(ledger.Session) bool { return false }

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
		if _, there := t.Transfer(o.Session, p); !there { // somebody has freed it meanwhile
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
