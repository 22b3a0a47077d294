package replay

import (
	"net/netip"
	"slices"
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
)

// When sessions end
//
// Hardly any line says when a session ends. But conns= says how many others a network had when a
// client came: the oldest of those that the network has had since have ended by then. What no line
// tells lasts as long as Options.Session. If that was too short, as the network's next line shows,
// the sessions are counted again.

// living are the sessions that go on, or may.
type living struct {
	of      map[netip.Prefix][]*visit // by their network, in the order in which they came
	by      map[netip.AddrPort]*visit // those with an MTA, then
	serving int                       // of these, then
	ended   int                       // in of, but ended as far as we know
	queue   []*visit                  // these in the order in which they began, and some others
	fillers []*visit                  // sessions of which only their number is known
	most    int                       // max_sessions then; 0 = not known
}

func newLiving() living {
	return living{of: map[netip.Prefix][]*visit{}, by: map[netip.AddrPort]*visit{}}
}

// Sessions that have ended are remembered for a while, and not too many.
const (
	keepEnded = 10 * time.Minute
	maxEnded  = 1 << 15
	maxAdded  = 1000 // sessions from before the log, of one network
)

// join counts the client among those of its network.
func (r *replay) join(v *visit) {
	n := r.network(v)
	v.alive = true
	r.of[n] = append(r.of[n], v)
}

// waitEnds is the end of the client's wait, as it was.
func (r *replay) waitEnds(v *visit) {
	if !v.then.Served() {
		r.remove(v)
		return
	}
	if v.then == decide.Pass || v.then == decide.DNSWL {
		r.passed(r.network(v))
	}
	r.serve(v)
	r.release(1)
}

// serve counts the session among those with an MTA, then.
func (r *replay) serve(v *visit) {
	v.serves = true
	r.by[v.client] = v
	r.serving++
	for len(r.queue) > 0 && !r.queue[0].serves {
		r.queue = r.queue[1:]
	}
	r.queue = append(r.queue, v)
}

// lasts has a session end that no line ends before.
func (r *replay) lasts(v *visit) {
	r.later(r.clock.after(r.Session), v.number, func() {
		if v.serves || !v.then.Served() {
			r.result.Untold.Ends++
		}
		r.end(v)
		if r.ended > maxEnded {
			r.remove(v)
			return
		}
		r.later(r.clock.after(keepEnded), v.number, func() { r.remove(v) })
	})
}

// end ends a session, then and now.
func (r *replay) end(v *visit) {
	if v.alive {
		v.alive = false
		r.ended++
	}
	if v.serves {
		v.serves = false
		r.serving--
		if r.by[v.client] == v {
			delete(r.by, v.client)
		}
	}
	if v.now.Served() {
		v.session.End()
	}
}

// remove forgets a visit, which is no session of its network any more.
func (r *replay) remove(v *visit) {
	n := r.network(v)
	list := r.of[n]
	at := slices.Index(list, v)
	if at < 0 {
		return
	}
	if v.serves {
		r.end(v) // it was revived
	}
	if !v.alive {
		r.ended--
	}
	v.alive = false
	if list = slices.Delete(list, at, at+1); len(list) == 0 {
		delete(r.of, n)
		return
	}
	r.of[n] = list
}

// countOthers makes the network's sessions as many as the client's line says.
func (r *replay) countOthers(v *visit) {
	if v.others < 0 {
		return
	}
	left := v.others
	var served []*visit // the newest first
	for _, one := range slices.Backward(r.of[r.network(v)]) {
		if one.logged <= r.clock && one.then.Served() && one.decided {
			served = append(served, one)
		} else {
			left-- // it waits
		}
	}
	for _, one := range served {
		switch left--; {
		case left < 0:
			if one.alive {
				r.end(one)
			}
			r.remove(one)
		case !one.alive:
			r.revive(one)
		}
	}
	for range min(left, maxAdded) {
		r.join(r.stranger(v.client.Addr(), v.number))
	}
}

// revive counts a session again.
func (r *replay) revive(v *visit) {
	if v.now.Served() {
		v.session.Revive()
	}
	v.alive = true
	r.ended--
	r.serve(v)
	r.lasts(v)
}

// stranger is a session of which only the network is known. It began before the log.
func (r *replay) stranger(client netip.Addr, number int) *visit {
	v := &visit{number: number, client: netip.AddrPortFrom(client, 0), then: decide.Known,
		now: decide.Known, decided: true, alive: true}
	c := wrapper.Connection{FD: -1, Client: v.client}
	v.session = r.door.NewPastSession(c, wrapper.Past{})
	v.session.Verdict = decide.Known
	v.session.Revive()
	r.serve(v)
	r.lasts(v)
	return v
}
