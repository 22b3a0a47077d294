package room

import (
	"fmt"
	"time"
)

// busy says whether there is anybody in the room, or behind it.
func (r *room) busy() bool { return r.held > 0 || r.mtas.starting > 0 || len(r.mtas.running) > 0 }

// tick does once a second what is not for one client's sake.
func (r *room) tick() {
	if r.busy() {
		r.idleSince = r.now
	}
	if r.now < r.tickAt {
		return
	}
	if r.unconfigured != nil && r.stage == open && !r.reading {
		r.read(func() {})
	}
	r.tickLedger()
	r.reap() // should a SIGCHLD have been lost
	said := r.shed.report(r)
	said = r.mtas.failures.report(r) && said
	said = r.mtas.exits.report(r) && said
	said = r.mtas.stderrs.report(r) && said
	said = r.unwatched.report(r) && said
	told := r.report()

	// With nobody there and nothing left to say, not before something happens.
	r.tickAt = 0
	if r.busy() || !said || !told || r.unconfigured != nil || r.door.Ledger.NeedsResync() || r.door.Owes() {
		r.tickAt = r.now + time.Second
	}
	if w := r.manager.watchdog / 2; w > 0 {
		r.manager.alive()
		if r.tickAt == 0 || r.now+w < r.tickAt {
			r.tickAt = r.now + w
		}
	}
}

// report tells whoever has started us how many there are. It reports whether that can stand as it
// is while nothing happens.
func (r *room) report() (stands bool) {
	perSecond := float64(r.refused-r.reported) / max(1, (r.now-r.toldAt).Seconds())
	stands = r.refused == r.reported
	r.reported, r.toldAt = r.refused, r.now
	r.manager.say(fmt.Sprintf("%d waiting, %d serving, %.0f refused/s",
		r.countWaiting(), r.countServing(), perSecond))
	return stands
}

// idleAt is when the room ends unless somebody comes; 0 = not for that reason.
func (r *room) idleAt() time.Duration {
	if !r.Idle || r.keeps || r.door.Config.RoomIdle == 0 || r.busy() || r.stage != open || r.replacing() || r.door.Owes() {
		return 0
	}
	return r.idleSince + r.door.Config.RoomIdle
}
