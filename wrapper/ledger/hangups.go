package ledger

import (
	"net/netip"
	"time"
)

// Hangups are connections of a network, one after the other, that ended while they waited quietly.
type Hangups struct {
	N      int           // at most 15
	Waited time.Duration // in all, each to a tenth of a second below
}

// row is how a record keeps them, in what was padding: older builds write 0.
type row struct {
	began uint16 // the minute of the first, modulo 2^16; see [Tx.Enter]
	sums  uint16 // their number, and for how many tenths of a second they waited
}

const (
	rowTenths   = 12 // bits of sums
	mostTenths  = 1<<rowTenths - 1
	mostHangups = 1<<(16-rowTenths) - 1
	tenth       = 100 * time.Millisecond
)

func (r row) hangups() Hangups {
	return Hangups{int(r.sums >> rowTenths), time.Duration(r.sums&mostTenths) * tenth}
}

// add counts one more. The row begins with it if the first was longer ago than per, a minute more
// or less.
func (r *row) add(now int64, waited, per time.Duration) {
	minute := uint16(now / time.Minute.Milliseconds())
	if age := time.Duration(minute-r.began) * time.Minute; r.sums == 0 || age > per {
		*r = row{began: minute}
	}
	was := r.hangups()
	n := min(was.N+1, mostHangups)
	tenths := min(int((was.Waited+max(0, waited))/tenth), mostTenths)
	r.sums = uint16(n<<rowTenths | tenths)
}

// hangups are those of the network that count: it has come last within the time.
func (c *client) hangups(now int64, per time.Duration) Hangups {
	if now-c.seen >= per.Milliseconds() {
		return Hangups{}
	}
	return c.strikes.quiet.hangups()
}

// HungUp counts a session of the network that is about to end because its client has left, after
// it was quiet for so long; see [Standing]. While the network has another session it does not
// count: so what they have waited together is time that has passed, however many come at once.
func (t *Tx) HungUp(network netip.Prefix, waited, per time.Duration) {
	i := t.l.find(keyOf(network))
	if per <= 0 || i < 0 || t.sessionsOf(t.l.record(i)) > 1 {
		return
	}
	t.l.change(i).strikes.quiet.add(t.now, waited, min(per, strikeMemory))
}

// ForgetHangups has the network's hangups count no longer, nor that it became known for them.
func (t *Tx) ForgetHangups(network netip.Prefix) {
	i := t.l.find(keyOf(network))
	if i < 0 {
		return
	}
	if c := t.l.record(i); c.strikes.quiet != (row{}) || c.marks&leaver != 0 {
		c = t.l.change(i)
		c.strikes.quiet = row{}
		c.marks &^= leaver
	}
}

// RememberLeaver is Remember for a client that was let in for its hangups. It would have to hang up
// as often to be known again, so it is known for longer when it comes back: see [Tx.Visit].
func (t *Tx) RememberLeaver(network netip.Prefix, d time.Duration) {
	t.Remember(network, d)
	if i := t.l.find(keyOf(network)); i >= 0 && t.l.record(i).known(t.now) {
		t.l.change(i).marks |= leaver
	}
}
