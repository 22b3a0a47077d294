package ledger

import (
	"net/netip"
	"time"
)

// trustedVisits is the number of hours in which a known client must have come to be trusted: a
// flood does not last that long, and a mail server comes that often.
const trustedVisits = 3

// Known says whether the network is known: it waited quietly not long ago. It changes nothing.
func (t *Tx) Known(network netip.Prefix) bool {
	i := t.l.find(keyOf(network))
	return i >= 0 && t.l.record(i).known(t.now)
}

// trusted says whether the client is known for more than one wait: it has come in several hours
// since, or delivered mail.
func (c *client) trusted(now int64) bool {
	return c.known(now) && (c.visits >= trustedVisits || c.marks&delivered != 0)
}

// remember makes the client known for d. If it was not known, nor known within the last week, its
// visits and deliveries are forgotten: a strike or a block does that.
func (c *client) remember(now int64, d time.Duration) {
	if c.waited(now) {
		c.visit(now)
	} else {
		c.visits, c.visited, c.marks = 0, hourOf(now), c.marks&^delivered
	}
	c.strikes.hangups, c.marks = hangupRun{}, c.marks&^knownByHangups
	c.knownTill = now + min(d, MaxBlock).Milliseconds()
}

// visit counts the hour in which the client has come again.
func (c *client) visit(now int64) {
	if hour := hourOf(now); c.visited != hour && c.visits < ^uint8(0) {
		c.visits, c.visited = c.visits+1, hour
	}
}

func hourOf(now int64) uint32 { return uint32(now / time.Hour.Milliseconds()) }

// Visit notes that a known client of the network has come again: after a number of hours in which
// it does, it is trusted. A visit does not extend the time for which it is known, unless it is
// trusted and became known because of its hangups: then it is known for d from now.
func (t *Tx) Visit(network netip.Prefix, d time.Duration) {
	i := t.l.find(keyOf(network))
	if i < 0 {
		return
	}
	if c := t.l.record(i); c.known(t.now) && c.visited != hourOf(t.now) {
		c = t.l.change(i)
		if c.visit(t.now); c.marks&knownByHangups != 0 && c.trusted(t.now) {
			c.knownTill = max(c.knownTill, t.now+min(d, MaxBlock).Milliseconds())
		}
	}
}

// Delivered notes that the MTA has accepted a message from a client of the network. While the
// network is known it is trusted from now on, and keeps its record in a full ledger where others
// lose theirs. Delivered does nothing for a network that is not known.
func (t *Tx) Delivered(network netip.Prefix) {
	i := t.l.find(keyOf(network))
	if i < 0 || !t.l.record(i).known(t.now) || t.l.record(i).marks&delivered != 0 {
		return
	}
	t.l.change(i).marks |= delivered
}
