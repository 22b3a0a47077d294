package replay

import (
	"net/netip"
	"slices"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
)

// A line about places says how many MTAs were in session. If we know of fewer, because the log does
// not tell when sessions end, the rest is filled up.

// maxFillers bounds the work for one line.
const maxFillers = 1 << 14

// fillerClient is an address that no client has (RFC 6666).
var fillerClient = netip.MustParseAddrPort("[100::1]:1")

// fill makes the sessions as many as the client's line says, if it does.
func (r *replay) fill(v *visit) {
	if v.serving == 0 {
		return
	}
	r.most = v.most
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

// release ends some of them where a client was served, which shows that there were places.
func (r *replay) release(then decide.Verdict) {
	places := r.most
	if then != decide.Known && then != decide.Allowed {
		places = r.most * (100 - r.door.Policy.Reserve) / 100
	}
	for len(r.fillers) > 0 && r.serving+len(r.fillers) >= places {
		r.empty(r.fillers[0])
	}
}

// empty ends one.
func (r *replay) empty(f *visit) {
	if at := slices.Index(r.fillers, f); at >= 0 {
		r.fillers = slices.Delete(r.fillers, at, at+1)
		f.session.End()
	}
}
