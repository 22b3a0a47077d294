package wrapper

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// Idle sessions make room
//
// When a client would be refused because all places are taken, sessions that are idle end. The
// ledger says in the same step whether it is time to look for them. Run does the work, which takes
// a moment, with no lock and beside the loop of a room. Then the client is decided about once more.

const (
	mostEnded = 16          // sessions by one search
	endTime   = time.Second // for their MTAs to end
)

// WantsPlace says whether that is why Admit has not decided.
func (s *Session) WantsPlace() bool { return s.facts.WantsPlace() }

// Search is a look for idle sessions, of which some are to end. It knows all that it needs of the
// door.
type Search struct {
	places int
	config *config.Config
	file   string // to be read once more for its networks; "": config has them all
}

// Ended is a session that was told to end.
type Ended struct {
	mtaSocket
	idleness
	process ledger.Process
	over    bool // its MTA has ended
}

// Seek says that so many clients want a place. It returns nil if nobody is to look for one: not
// yet, or not at all.
func (d *Door) Seek(n int) (search *Search) {
	if d.seeks() {
		_ = d.inLedger(func(t *ledger.Tx) { search = d.searchFor(t.WantPlaces(n)) })
	}
	return search
}

// seek begins a search if the client is refused because all places are taken, and has not waited
// for one already. It reports whether the verdict does not stand yet, and counts for nothing.
func (s *Session) seek(t *ledger.Tx) bool {
	if s.sought || s.Verdict != decide.Busy || !s.facts.WantsPlace() || !s.door.seeks() {
		return false
	}
	s.search = s.door.searchFor(t.WantPlaces(1))
	return s.search != nil
}

// Search is what a room has to have done before the verdict of Arrive stands, nil if it does. Then
// it calls Sought, and Arrive once more.
func (s *Session) Search() *Search { return s.search }

// Sought tells what has come of the search.
func (s *Session) Sought(ended []Ended) {
	s.search, s.sought, s.freed = nil, true, nil
	for _, e := range ended {
		if e.over {
			s.freed = append(s.freed, e.process)
		}
	}
}

// free has the sessions that have ended not count any more, in the same step in which the client is
// decided about.
func (s *Session) free(t *ledger.Tx) {
	for _, p := range s.freed {
		t.FreeExcept(p, nobody)
	}
	s.freed = nil
}

// makeRoom does the search in a process that holds nobody else, and reports whether there was one.
func (s *Session) makeRoom() bool {
	if s.search == nil {
		return false
	}
	ended := s.search.Run()
	s.door.LogIdle(ended)
	s.Sought(ended)
	return true
}

// seeks says whether sessions end for being idle.
func (d *Door) seeks() bool { return d.Config.MaxIdle > 0 && d.Config.Mode == config.Enforce }

// searchFor is a search for so many places, nil if that is 0.
func (d *Door) searchFor(places int) *Search {
	if places == 0 {
		return nil
	}
	s := &Search{places: min(places, mostEnded), config: d.Config}
	if !d.Process.Shared {
		s.file = d.File
	}
	return s
}

// The reply to a client that has said nothing.
const (
	idleReply = "421 4.4.2"
	idleText  = "said nothing for a while, and others want the place; try again later"
)

// Run ends idle sessions, and returns when their MTAs have ended, or have not for a second. What is
// in the way of that, such as a ledger that cannot be asked, ends nobody.
func (s *Search) Run() (ended []Ended) {
	l := ledger.Handle{Options: ledger.Options{Path: s.config.Ledger.Path, Clients: s.config.Ledger.Clients}}
	if l.Open() != nil {
		return nil
	}
	defer l.Close()
	_, live, err := l.Report(ledger.Now())
	if err != nil {
		return nil
	}
	for _, one := range s.unallowed(s.idle(live)) {
		if len(ended) == s.places {
			break
		}
		if e, ok := s.end(one); ok {
			l.CountIdle()
			ended = append(ended, e)
		}
	}
	await(ended)
	return ended
}

// idle are the sessions that may end, in the order in which they would. Those of processes that
// hold others too, and those that wait, are none.
func (s *Search) idle(live []ledger.LiveSession) []ledger.LiveSession {
	type candidate struct {
		ledger.LiveSession
		idleness
	}
	var all []candidate
	for _, one := range live {
		if !one.Serving || one.Process.Shared || one.Process.PID == unix.Getpid() {
			continue
		}
		if m, err := openMTA(one); err == nil {
			if i, is := m.idle(s.config.MaxIdle); is {
				all = append(all, candidate{one, i})
			}
			m.close()
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		switch {
		case a.mute() && !b.mute():
			return -1
		case b.mute() && !a.mute():
			return 1
		}
		return cmp.Compare(b.after, a.after)
	})
	sessions := make([]ledger.LiveSession, len(all))
	for i := range all {
		sessions[i] = all[i].LiveSession
	}
	return sessions
}

// unallowed leaves out the clients that are allowed. A process with one client has read what the
// rules say about that one alone, and reads them again; if it cannot, all are left out.
func (s *Search) unallowed(sessions []ledger.LiveSession) []ledger.LiveSession {
	rules := s.config.Networks
	if s.file != "" && len(sessions) > 0 {
		clients := make([]netip.Addr, len(sessions))
		for i := range sessions {
			clients[i] = sessions[i].Client.Addr()
		}
		slices.SortFunc(clients, netip.Addr.Compare)
		c, _ := config.Load(s.file, allowlist.For(slices.Compact(clients)...))
		if c == nil {
			return nil
		}
		rules = c.Networks
	}
	return slices.DeleteFunc(sessions, func(one ledger.LiveSession) bool {
		return rules.Match(one.Client.Addr()).Access == allowlist.Allow
	})
}

// end tells a session to end, if it is idle still.
func (s *Search) end(one ledger.LiveSession) (e Ended, ok bool) {
	m, err := openMTA(one)
	if err != nil {
		return e, false
	}
	i, is := m.idle(s.config.MaxIdle)
	if !is {
		m.close()
		return e, false
	}
	if i.mute() { // no TLS has begun, and the MTA is not in the midst of a reply
		sayLast(m.fd, refusal(idleReply, one.Client.Addr(), idleText, s.config))
		endOurs(m.fd)
	}
	if err := unix.PidfdSendSignal(m.pidfd, unix.SIGTERM, nil, 0); err != nil {
		m.close()
		return e, false
	}
	return Ended{mtaSocket: m, idleness: i, process: one.Process}, true
}

// await waits until the MTAs have ended. The connection of one that does not heed SIGTERM is shut:
// it reads the end of it.
func await(ended []Ended) {
	deadline := time.Now().Add(endTime)
	for i := range ended {
		e := &ended[i]
		if e.over = e.ends(deadline); !e.over {
			_ = unix.Shutdown(e.fd, unix.SHUT_RDWR)
		}
		e.close()
	}
}

// LogIdle writes a line for each session that a search has ended.
func (d *Door) LogIdle(ended []Ended) {
	for _, e := range ended {
		l := maillog.NewLine("IDLE").Addr("client", e.client).Addr("server", e.server).
			DurOf("idle", e.after, d.Config.MaxIdle).Int("bytes", int(e.heard))
		if e.mute() {
			l.Str("reply", replyCode(idleReply))
		}
		_ = d.Log.WriteAs(e.pid, maillog.Info, l.String())
	}
}
