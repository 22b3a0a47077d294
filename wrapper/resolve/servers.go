package resolve

import (
	"net/netip"
	"time"
)

const (
	// maxWait is the longest time until a question is repeated or goes to the next server: within a
	// greet delay of 6 s a packet may be lost twice.
	maxWait = 2 * time.Second

	// What resolv.conf(5) gives where the file says nothing.
	defaultTimeout  = 5 * time.Second
	defaultAttempts = 2

	// maxMissed is how many queries in a row a server may leave without an answer. For maxSick it
	// is asked after all others then, and again if the next query is not answered either.
	maxMissed = 20
	maxSick   = 30 * time.Second
)

// server is one that is asked.
type server struct {
	addr       netip.AddrPort
	unanswered int       // queries in a row
	sick       time.Time // until then it is asked last
}

// serverList is what resolv.conf says, or the `resolver` line. Queries under way keep theirs when
// the file changes.
type serverList struct {
	servers  []*server
	timeout  time.Duration
	attempts int
	rotate   bool
	turn     int // the server that is first next, with rotate
}

func newServerList(addrs []netip.AddrPort) *serverList {
	l := &serverList{timeout: defaultTimeout, attempts: defaultAttempts}
	for _, a := range addrs {
		a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		l.servers = append(l.servers, &server{addr: a})
	}
	return l
}

// inOrder are the servers in the order in which a query asks them.
func (l *serverList) inOrder(now time.Time) []*server {
	order := l.servers
	if l.rotate {
		order = append(append([]*server(nil), order[l.turn:]...), order[:l.turn]...)
		l.turn = (l.turn + 1) % len(order)
	}
	for _, s := range order {
		if s.isSick(now) {
			return sickLast(order, now)
		}
	}
	return order
}

func sickLast(servers []*server, now time.Time) (order []*server) {
	for _, sick := range []bool{false, true} {
		for _, s := range servers {
			if s.isSick(now) == sick {
				order = append(order, s)
			}
		}
	}
	return order
}

func (s *server) isSick(now time.Time) bool { return now.Before(s.sick) }

// missed notes a query without an answer.
func (s *server) missed(now time.Time) {
	if s.unanswered++; s.unanswered >= maxMissed {
		s.sick = now.Add(maxSick)
	}
}

// answered notes an answer, also that the server cannot answer.
func (s *server) answered() { s.unanswered, s.sick = 0, time.Time{} }
