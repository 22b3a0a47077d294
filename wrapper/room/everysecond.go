package room

import (
	"fmt"
	"time"
)

// busy reports whether there are clients in the room, or MTAs that it has started.
func (r *room) busy() bool {
	return r.held > 0 || r.mtas.starting > 0 || len(r.mtas.running) > 0
}

// everySecond does the work of once a second that is not for a single client.
func (r *room) everySecond() {
	if r.busy() {
		r.idleSince = r.now
	}
	if r.nextSecond == 0 { // something has woken an idle room
		r.nextSecond = r.lastSecond + time.Second
	}
	if r.now < r.nextSecond {
		return
	}
	r.lastSecond = r.now
	if r.unconfigured != nil && r.stage == open {
		r.lookForConfig()
	}
	r.checkLedger()
	r.reap() // in case a SIGCHLD was lost
	more := r.logLimited()
	more = r.reportStatus() || more

	// An idle room sleeps until something happens.
	r.nextSecond = 0
	if r.busy() || more || r.unconfigured != nil || r.door.Ledger.NeedsResync() ||
		r.door.HasUnwritten() {
		r.nextSecond = r.now + time.Second
	}
	if w := r.manager.watchdog / 2; w > 0 {
		r.manager.alive()
		if r.nextSecond == 0 || r.now+w < r.nextSecond {
			r.nextSecond = r.now + w
		}
	}
}

// reportStatus tells the service manager how many clients there are. It reports whether the status
// will change even if nothing happens: then the number of refusals a second falls to 0.
func (r *room) reportStatus() (more bool) {
	perSecond := float64(r.refused-r.reported) / max(1, (r.now-r.reportedAt).Seconds())
	more = r.refused != r.reported
	r.reported, r.reportedAt = r.refused, r.now
	r.manager.setStatus(fmt.Sprintf("%d waiting, %d serving, %.0f refused/s",
		r.countWaiting(), r.countServing(), perSecond))
	return more
}

// idleAt is when the room ends unless a client comes; 0: it does not end for being idle.
func (r *room) idleAt() time.Duration {
	after := r.door.Policy.RoomIdle
	if !r.Idle || r.keepsPort || after == 0 ||
		r.busy() || r.stage != open || r.replacing() || r.door.HasUnwritten() {
		return 0
	}
	return r.idleSince + after
}
