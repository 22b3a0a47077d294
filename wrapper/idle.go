package wrapper

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// Idle sessions give up their places
//
// When a client would be refused because all places are taken, idle sessions end. The ledger says
// in the same step whether it is time to look for them. Run does the work, which takes a moment,
// without the lock and beside the loop of a room. Then the client is decided about once more.

const (
	maxEnded = 16          // sessions by one search
	endTime  = time.Second // for their MTAs to end
)

// WantsPlace says whether Admit has not decided because all places are taken.
func (s *Session) WantsPlace() bool { return s.facts().WantsPlace() }

// Search ends idle sessions. It has all that it needs of the door, and may run beside it.
type Search struct {
	places int
	policy *policy.Policy
	others func(clients []netip.Addr) policy.Rules // see Door.Others
}

// Ended is a session whose MTA was sent SIGTERM.
type Ended struct {
	mtaSocket
	idleness
	process ledger.Process
	exited  bool
}

// NewSearch prepares a search for a room in which n clients want a place. It returns nil if there
// is to be none: it is not time yet, or sessions do not end for being idle.
func (d *Door) NewSearch(n int) (search *Search) {
	if d.endsIdle() {
		_ = d.Ledger.Run(func(t *ledger.Tx) { search = d.newSearch(t.WantPlaces(n)) })
	}
	return search
}

// beginSearch prepares a search if the client is refused because all places are taken, unless one
// has been made for it already. It reports whether the verdict is not final, and must not be
// counted.
func (s *Session) beginSearch(t *ledger.Tx) bool {
	if s.searched || s.Verdict != decide.Busy || !s.facts().WantsPlace() || !s.door.endsIdle() {
		return false
	}
	s.search = s.door.newSearch(t.WantPlaces(1))
	return s.search != nil
}

// Search is the search that a room has to run before the verdict of Arrive is final, or nil. Then
// the room calls SearchDone, and Arrive once more.
func (s *Session) Search() *Search { return s.search }

// SearchDone takes the result of the search.
func (s *Session) SearchDone(ended []Ended) {
	s.search, s.searched, s.exited = nil, true, nil
	for _, e := range ended {
		if e.exited {
			s.exited = append(s.exited, e.process)
		}
	}
}

// freeExited frees the sessions that the search has ended, in the same step in which the client is
// decided about.
func (s *Session) freeExited(t *ledger.Tx) {
	for _, p := range s.exited {
		t.FreeExcept(p, nobody)
	}
	s.exited = nil
}

// runSearch runs the search in a process that holds one client, and reports whether there was one.
func (s *Session) runSearch() bool {
	if s.search == nil {
		return false
	}
	ended := s.search.Run()
	s.door.LogIdle(ended)
	s.SearchDone(ended)
	return true
}

// endsIdle says whether sessions end for being idle.
func (d *Door) endsIdle() bool { return d.Policy.MaxIdle > 0 && d.Policy.Mode == policy.Enforce }

// newSearch is a search for this many places, nil for 0.
func (d *Door) newSearch(places int) *Search {
	if places == 0 {
		return nil
	}
	return &Search{places: min(places, maxEnded), policy: d.Policy, others: d.Others}
}

// The reply to a client that has never sent anything.
const (
	idleReply = "421 4.4.2"
	idleText  = "said nothing for a while, and other clients want the place; try again later"
)

// Run ends idle sessions. It returns when their MTAs have ended, after a second at the latest. If
// something prevents it, such as a ledger that cannot be read, no session ends.
func (s *Search) Run() (ended []Ended) {
	l := ledger.Handle{Options: ledger.Options{Path: s.policy.Ledger.Path}}
	if l.OpenExisting() != nil {
		return nil
	}
	defer l.Close()
	_, live, err := l.Report(ledger.Now())
	if err != nil {
		return nil
	}
	all := s.unallowed(s.idle(live))
	for len(all) > 0 && len(ended) < s.places {
		var next idleSession
		next, all = takeFirst(all)
		if e, ok := s.end(next.LiveSession); ok {
			l.CountIdle()
			ended = append(ended, e)
		}
	}
	waitForAll(ended)
	return ended
}

// idleSession is a session that may end.
type idleSession struct {
	ledger.LiveSession
	idleness
}

// idle lists the sessions that may end. Sessions of processes that hold many, and sessions that
// wait, are not among them.
func (s *Search) idle(live []ledger.LiveSession) (all []idleSession) {
	for _, one := range live {
		if !one.Serving || one.Process.Shared || one.Process.PID == unix.Getpid() {
			continue
		}
		if m, err := openMTA(one); err == nil {
			if i, ok := m.idle(s.policy.MaxIdle); ok {
				all = append(all, idleSession{one, i})
			}
			m.close()
		}
	}
	return all
}

// unallowed leaves out the clients that are allowed, or all if the rules for them cannot be read.
func (s *Search) unallowed(all []idleSession) (left []idleSession) {
	rules := s.policy.Rules
	if s.others != nil && len(all) > 0 {
		var clients []netip.Addr
		for i := range all {
			if client := all[i].Client.Addr(); !slices.Contains(clients, client) {
				clients = append(clients, client)
			}
		}
		if rules = s.others(clients); rules == nil {
			return nil
		}
	}
	for _, one := range all {
		if rules.Match(one.Client.Addr()).Access != rule.Allow {
			left = append(left, one)
		}
	}
	return left
}

// takeFirst takes out the session that is to end first: the one that has been idle for longest, of
// those whose clients have never said anything, or else of all. Few are taken: to sort them would
// make the program larger that starts for each client.
func takeFirst(all []idleSession) (first idleSession, others []idleSession) {
	at := 0
	for i := range all {
		a, b := &all[i], &all[at]
		if a.silent() != b.silent() && a.silent() || a.silent() == b.silent() && a.after > b.after {
			at = i
		}
	}
	first, last := all[at], len(all)-1
	all[at] = all[last]
	return first, all[:last]
}

// end sends the MTA of a session SIGTERM, if the session is still idle.
func (s *Search) end(one ledger.LiveSession) (e Ended, ok bool) {
	m, err := openMTA(one)
	if err != nil {
		return e, false
	}
	i, ok := m.idle(s.policy.MaxIdle)
	if !ok {
		m.close()
		return e, false
	}
	if i.silent() { // no TLS has begun, and the MTA is not within a reply
		sayLast(m.fd, refusal(idleReply, one.Client.Addr(), idleText, s.policy.Settings))
		endOurs(m.fd)
	}
	if err := unix.PidfdSendSignal(m.pidfd, unix.SIGTERM, nil, 0); err != nil {
		m.close()
		return e, false
	}
	return Ended{mtaSocket: m, idleness: i, process: one.Process}, true
}

// waitForAll waits until the MTAs have ended. If one ignores SIGTERM, its connection is shut down:
// it then reads the end of it.
func waitForAll(ended []Ended) {
	deadline := time.Now().Add(endTime)
	for i := range ended {
		e := &ended[i]
		if e.exited = e.waitForExit(deadline); !e.exited {
			_ = unix.Shutdown(e.fd, unix.SHUT_RDWR)
		}
		e.close()
	}
}

// LogIdle writes a line for each session that a search has ended.
func (d *Door) LogIdle(ended []Ended) {
	for _, e := range ended {
		l := maillog.NewLine("IDLE").Addr("client", e.client).Addr("server", e.server).
			DurOf("idle", e.after, d.Policy.MaxIdle).Int("bytes", int(e.bytes))
		if e.silent() {
			l.Str("reply", replyCode(idleReply))
		}
		_ = d.Log.WriteAs(e.pid, maillog.Info, l.String())
	}
}
