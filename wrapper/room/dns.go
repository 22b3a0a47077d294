package room

import (
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
)

// watchDNS has the poller report answers of DNS. The descriptor is there when the first question
// has been sent, and is another one after a change of resolver.
func (r *room) watchDNS() {
	fd, serial := r.door.DNSDescriptor()
	if fd == r.dns && serial == r.dnsSerial {
		return
	}
	r.dns = -1 // a closed one is no longer in the poller
	if fd >= 0 && r.poller.add(fd, unix.EPOLLIN) == nil {
		r.dns, r.dnsSerial = fd, serial
	}
}

// hearDNS goes on with the clients about which DNS has said something. Answers that the poller
// could not report are heard when the next is due.
func (r *room) hearDNS() {
	if left, asked := r.door.UntilDNS(); !r.dnsReady && (!asked || left > 0) {
		return
	}
	r.dnsReady = false
	r.door.HearDNS(r.learned)
	r.watchDNS()
}

// learned goes on with a waiting client if what DNS has said ends its wait, or changes it.
func (r *room) learned(s *wrapper.Session) {
	if s.FD < 0 || s.FD >= len(r.clients) {
		return
	}
	c := r.clients[s.FD]
	if c == nil || c.session != s || !r.inDelay(c) {
		return
	}
	switch {
	case s.Welcome():
		r.endDelay(c)
	case s.Decided():
		r.hearEarly(c, r.look(c))
	default:
		r.changeDelay(c)
		s.Rest()
	}
}

// inDelay reports whether the client waits in its greet delay.
func (r *room) inDelay(c *client) bool {
	for _, q := range r.delays {
		if c.in == q {
			return true
		}
	}
	return false
}

// changeDelay moves a client whose name has a greet_delay of its own.
func (r *room) changeDelay(c *client) {
	delay := c.session.Delay()
	if q := r.delay(delay); c.in != q {
		c.leave()
		r.delayFor(c, delay)
	}
}

// delayFor lets the client wait.
func (r *room) delayFor(c *client, delay time.Duration) {
	c.due = c.arrived + delay
	r.delay(delay).pushByDue(c) // a search, or DNS, may have held the client up
}

// refusedByDNS has a client refused at the end of its delay that DNS has said enough about.
func (r *room) refusedByDNS(c *client) bool {
	c.session.Settle()
	if !c.session.RefusedByDNS() {
		return false
	}
	r.conclude(c, decide.Quiet)
	return true
}
