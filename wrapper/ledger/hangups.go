package ledger

import (
	"net/netip"
	"time"
)

// Hangups are consecutive connections of a network that ended while they waited quietly.
type Hangups struct {
	N      int           // at most 15
	Waited time.Duration // in all, each rounded down to a tenth of a second
}

// hangupRun is how a record keeps them, in former padding: older builds write 0.
type hangupRun struct {
	began uint16 // minute of the first, modulo 2^16; see [Tx.Enter]
	sums  uint16 // their number, and how many tenths of a second they waited
}

const (
	tenthsBits  = 12 // of sums
	mostTenths  = 1<<tenthsBits - 1
	mostHangups = 1<<(16-tenthsBits) - 1
	tenth       = 100 * time.Millisecond
)

func (r hangupRun) hangups() Hangups {
	return Hangups{int(r.sums >> tenthsBits), time.Duration(r.sums&mostTenths) * tenth}
}

// add counts one more. It begins a new run if the first was longer ago than per, give or take a
// minute.
func (r *hangupRun) add(now int64, waited, per time.Duration) {
	minute := uint16(now / time.Minute.Milliseconds())
	if age := time.Duration(minute-r.began) * time.Minute; r.sums == 0 || age > per {
		*r = hangupRun{began: minute}
	}
	before := r.hangups()
	n := min(before.N+1, mostHangups)
	tenths := min(int((before.Waited+max(0, waited))/tenth), mostTenths)
	r.sums = uint16(n<<tenthsBits | tenths)
}

// hangups are those of the network that count: its last visit was within the time.
func (c *client) hangups(now int64, per time.Duration) Hangups {
	if now-c.seen >= per.Milliseconds() {
		return Hangups{}
	}
	return c.strikes.hangups.hangups()
}

// HungUp counts a session of the network that is about to end because its client has left, after
// waiting quietly for that long; see [Standing]. It does not count while the network has another
// session. So the sum of their waits is time that has really passed, however many come at once.
func (t *Tx) HungUp(network netip.Prefix, waited, per time.Duration) {
	i := t.l.find(keyOf(network))
	if per <= 0 || i < 0 || t.sessionsOf(t.l.record(i)) > 1 {
		return
	}
	t.l.change(i).strikes.hangups.add(t.now, waited, min(per, strikeMemory))
}

// ForgetHangups forgets the network's hangups, and that it became known because of them.
func (t *Tx) ForgetHangups(network netip.Prefix) {
	i := t.l.find(keyOf(network))
	if i < 0 {
		return
	}
	if c := t.l.record(i); c.strikes.hangups != (hangupRun{}) || c.marks&knownByHangups != 0 {
		c = t.l.change(i)
		c.strikes.hangups = hangupRun{}
		c.marks &^= knownByHangups
	}
}

// RememberForHangups is Remember for a client that was let in because of its hangups. To become
// known again it would have to hang up as often again, so a later visit extends the time for which
// it is known: see [Tx.Visit].
func (t *Tx) RememberForHangups(network netip.Prefix, d time.Duration) {
	t.Remember(network, d)
	if i := t.l.find(keyOf(network)); i >= 0 && t.l.record(i).known(t.now) {
		t.l.change(i).marks |= knownByHangups
	}
}
