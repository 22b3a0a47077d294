package ledger

import (
	"net/netip"
	"time"
)

// trustedVisits are the hours in which a known client must have come to be trusted: more than a
// flood lasts, and less than a mail server needs to be seen as often.
const trustedVisits = 3

// trusted says whether the client is known not only for having waited once: it has come in several
// hours since, or delivered mail.
func (c *client) trusted(now int64) bool {
	return c.known(now) && (c.visits >= trustedVisits || c.marks&delivered != 0)
}

// remember makes the client known for so long. Unless it was known already, a week ago at most, it
// begins with nothing: a strike or a block takes all away.
func (c *client) remember(now int64, d time.Duration) {
	if c.waited(now) {
		c.visit(now)
	} else {
		c.visits, c.visited, c.marks = 0, hourOf(now), c.marks&^delivered
	}
	c.strikes.quiet, c.marks = row{}, c.marks&^leaver
	c.knownTill = now + min(d, MaxBlock).Milliseconds()
}

// visit counts the hour in which the client has come again.
func (c *client) visit(now int64) {
	if hour := hourOf(now); c.visited != hour && c.visits < ^uint8(0) {
		c.visits, c.visited = c.visits+1, hour
	}
}

func hourOf(now int64) uint32 { return uint32(now / time.Hour.Milliseconds()) }

// Visit notes that a known client of the network has come again: it is trusted when it has done so
// in some hours. It is not known for longer by that, unless it is trusted and became known for its
// hangups: then it is so for d from now.
func (t *Tx) Visit(network netip.Prefix, d time.Duration) {
	i := t.l.find(keyOf(network))
	if i < 0 {
		return
	}
	if c := t.l.record(i); c.known(t.now) && c.visited != hourOf(t.now) {
		c = t.l.change(i)
		if c.visit(t.now); c.marks&leaver != 0 && c.trusted(t.now) {
			c.knownTill = max(c.knownTill, t.now+min(d, MaxBlock).Milliseconds())
		}
	}
}

// Delivered notes that the MTA has accepted a message from a client of the network: while the
// network is known it is now as good as one that has come back for hours, and stays in a full
// ledger where others go. It does nothing for a network that is not known.
func (t *Tx) Delivered(network netip.Prefix) {
	i := t.l.find(keyOf(network))
	if i < 0 || !t.l.record(i).known(t.now) || t.l.record(i).marks&delivered != 0 {
		return
	}
	t.l.change(i).marks |= delivered
}
