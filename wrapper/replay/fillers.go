package replay

import (
	"net/netip"
	"slices"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
)

// A line about places says how many MTAs were in session. If we know of fewer, because the log does
// not tell when sessions end, the rest is filled up. A line of a client that was served says that
// there was a place.

// maxFillers bounds the work for one line.
const maxFillers = 1 << 14

// fillerClient is an address that no client has (RFC 6666).
var fillerClient = netip.MustParseAddrPort("[100::1]:1")

// fill makes the sessions as many as the client's line says, if it does.
func (r *replay) fill(v *visit) {
	if v.serving == 0 {
		return
	}
	for range min(v.serving-r.serving-len(r.fillers), maxFillers) {
		s := r.door.NewPastSession(wrapper.Connection{FD: -1, Client: fillerClient},
			wrapper.Past{})
		s.Verdict = decide.Known
		s.Revive()
		f := &visit{session: s}
		r.fillers = append(r.fillers, f)
		r.later(r.clock.after(r.Session), v.number, func() { r.empty(f) })
	}
}

// release ends sessions, since a client was let in then, and is one of those with an MTA or is none
// yet: so there was a place. The last quarter of the reserve is left out, which is for trusted
// clients alone.
func (r *replay) release(itself int) {
	places := (r.most*(400-r.door.Policy.Reserve)-1)/400 + itself
	for r.most > 0 && r.serving+len(r.fillers) > places {
		switch {
		case len(r.fillers) > 0:
			r.empty(r.fillers[0])
		case len(r.queue) == 0:
			return
		default:
			if v := r.queue[0]; v.serves && v.decided {
				r.end(v)
			}
			r.queue = r.queue[1:]
		}
	}
}

// empty ends one.
func (r *replay) empty(f *visit) {
	if at := slices.Index(r.fillers, f); at >= 0 {
		r.fillers = slices.Delete(r.fillers, at, at+1)
		f.session.End()
	}
}
