package ledger

import (
	"net/netip"
	"time"
)

// SessionsOf lists the sessions of the clients for which held reports true, in no order. Unlike
// [Tx.Sessions] it looks at no process and frees no session, so that it costs little however often
// it is called. Some may be dead: [Process.Signal] finds out.
//
// All others wait while held is asked, once for each session, so it must look up and nothing else.
func (t *Tx) SessionsOf(held func(client netip.Addr) bool) (some []LiveSession) {
	for i := range t.l.liveSlots() {
		s := t.l.slot(i)
		if s.state != slotFree && held(netip.AddrFrom16(s.addr).Unmap()) {
			some = append(some, s.live(t.now))
		}
	}
	return some
}

// live is the session as an administrator sees it.
func (s *session) live(now int64) LiveSession {
	return LiveSession{
		Client:  netip.AddrPortFrom(netip.AddrFrom16(s.addr).Unmap(), s.port),
		Process: s.process(),
		Serving: s.state == slotServing,
		Age:     time.Duration(now-s.since) * time.Millisecond,
		Left:    s.left(now),
	}
}
