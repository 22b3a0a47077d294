package replay

import (
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
)

// arrive has the client come.
func (r *replay) arrive(v *visit) {
	if r.countOthers(v); v.counted {
		r.release(0)
	}
	if v.inquired {
		r.fill(v)
	}
	r.recallBefore(v)
	v.session = r.door.NewPastSession(wrapper.Connection{FD: -1, Client: v.client}, v.past)
	if v.inquired && (v.then.Served() || len(v.heard.Hits)+len(v.heard.Names) > 0) {
		v.session.HearPast(v.heard)
	}
	waits := v.session.Enter() // which also refuses what Arrive would without the lock
	if v.counted {
		r.join(v)
	}
	if !waits {
		r.decided(v)
		return
	}
	r.later(r.clock.after(r.untilDone(v)), v.number, func() { r.conclude(v) })
}

// untilDone is the time from the client's arrival to its decision. With the delay that it had, it
// is what it was; the wait for a turn in a room is part of it.
func (r *replay) untilDone(v *visit) time.Duration {
	delay := v.session.Delay()
	if delay == v.delay || r.didWithin(v, delay) {
		return v.total()
	}
	return min(v.total(), delay)
}

// didWithin says whether the client spoke or left within the delay. One that did so at once did it
// before any look at it.
func (r *replay) didWithin(v *visit, delay time.Duration) bool {
	return v.did() != decide.Quiet && (v.waited < delay || v.waited == 0 || delay == v.delay)
}

// conclude ends the client's wait, by what it did.
func (r *replay) conclude(v *visit) {
	s := v.session
	if !v.inquired {
		r.fill(v)
	}
	s.HearPast(v.heard)
	delay := s.Delay()
	switch {
	case r.didWithin(v, delay):
		r.recallPatience(v)
		s.Conclude(v.did(), v.waited)
	case v.total() >= delay || s.Decided():
		s.Conclude(decide.Quiet, delay)
	case v.then.Served():
		r.result.Untold.Longer++
		r.later(r.clock.after(delay-v.total()), v.number, func() {
			s.Conclude(decide.Quiet, delay)
			r.decided(v)
		})
		return
	case !s.BlockedMeanwhile():
		s.Abandon()
		r.result.Untold.Waits++
	}
	r.decided(v)
}

// decided notes the verdict. It is Undecided if the client's wait was not seen to its end.
func (r *replay) decided(v *visit) {
	v.decided, v.now = true, v.session.Verdict
	r.result.Connections++
	r.table[v.then][v.now]++
	if v.then.Served() || v.now.Served() {
		r.lasts(v)
	}
	r.note(v)
}
