package wrapper

import (
	"fmt"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// What becomes of what could not be written or asked, because others had the ledger.

// peek is what the ledger says of the client without its lock; nothing after any error but
// ErrCrowded. How many sessions there are it does not say: those of the dead would count.
func (d *Door) peek(err error, a ledger.Arrival) (s ledger.Standing) {
	if err == ledger.ErrCrowded {
		s, _ = d.Ledger.Peek(ledger.Now(), a)
		s.Serving, s.Waiting, s.Conns = 0, 0, 0
	}
	return s
}

// countApart counts a verdict that could not be counted together with all else.
func (d *Door) countApart(v decide.Verdict) {
	d.Ledger.CountUnlocked(int(v))
}

// countOpen counts a client that is served and has met no limits, because of this error.
func (d *Door) countOpen(err error) {
	d.Ledger.CountFailOpen(err)
}

// mostOwed bounds the offences that are kept until they can be written.
const mostOwed = 10_000

// owe keeps the offence of a client until Settle can write it.
func (d *Door) owe(s *Session) {
	d.owed = append(d.owed, s)
	if len(d.owed) > mostOwed {
		d.forgetOwed()
	}
}

// Owes says whether there are offences that are not written yet.
func (d *Door) Owes() bool { return len(d.owed) > 0 }

// Settle writes down the offences that could not be written when they happened, some at a time: a
// room calls it again. It returns the sessions with which a block has begun.
func (d *Door) Settle() (blocked []*Session) {
	const turns, atOnce = 8, 8 // an offence takes up to 600 bytes of the undo log
	for range turns {
		some := d.owed[:min(atOnce, len(d.owed))]
		if len(some) == 0 {
			break
		}
		err := d.inLedger(func(t *ledger.Tx) {
			for _, s := range some {
				s.strike(t)
			}
		})
		if err == ledger.ErrLost { // what the network did before is lost as well
			d.forgetOwed()
			break
		}
		if err != nil {
			d.sayOwed(err)
			break
		}
		d.owed = d.owed[len(some):]
		for _, s := range some {
			if s.block > 0 {
				blocked = append(blocked, s)
			}
		}
	}
	return blocked
}

// sayOwed tells the log that offences are not written yet.
func (d *Door) sayOwed(err error) {
	if !d.Process.Shared {
		return // there is one, and it is written or lost in a moment
	}
	if now := ledger.Now().Boot; d.owedTold == 0 || now-d.owedTold >= heldEvery {
		d.owedTold = now
		d.warn(fmt.Sprintf("%s: %v; not written yet: %s", d.Config.Ledger.Path, err, strikes(len(d.owed))))
	}
}

// forgetOwed gives up the offences that are not written, and says so.
func (d *Door) forgetOwed() {
	if n := len(d.owed); n > 0 {
		d.warn(fmt.Sprintf("%s: lost, as it could not be written to: %s", d.Config.Ledger.Path, strikes(n)))
	}
	d.owed = nil
}

// strikes is a number of them in words.
func strikes(n int) string {
	if n == 1 {
		return "1 strike"
	}
	return fmt.Sprintf("%d strikes", n)
}
