package wrapper

import (
	"strconv"

	"sendwrap/wrapper/ledger"
)

// Strikes that cannot be written yet, because others have the ledger.

// maxUnwritten bounds the offences that are kept until they can be written.
const maxUnwritten = 10_000

// writeLater keeps the offence of a client until WriteStrikes can write it.
func (d *Door) writeLater(s *Session) {
	d.unwritten = append(d.unwritten, s)
	if len(d.unwritten) > maxUnwritten {
		d.dropUnwritten()
	}
}

// HasUnwritten says whether there are offences that are not written yet.
func (d *Door) HasUnwritten() bool { return len(d.unwritten) > 0 }

// WriteStrikes writes the offences that could not be written when they happened, some at a time: a
// room calls it again. It returns the sessions with which a block has begun.
func (d *Door) WriteStrikes() (blocked []*Session) {
	const locks = 8
	atOnce := 8 // an offence takes up to 600 bytes of the undo log
	if len(d.Policy.Wide) > 0 {
		atOnce = 2 // or three times as much
	}
	for range locks {
		some := d.unwritten[:min(atOnce, len(d.unwritten))]
		if len(some) == 0 {
			break
		}
		for _, s := range some {
			s.facts() // a session that rests has none, and to make them takes too long for the lock
		}
		err := d.Ledger.Run(func(t *ledger.Tx) {
			for _, s := range some {
				s.strike(t)
			}
		})
		if err != nil { // the file has nothing of it
			for _, s := range some {
				s.struck = nil
			}
		}
		if err == ledger.ErrLost { // what the network did before is lost as well
			d.dropUnwritten()
			break
		}
		if err != nil {
			d.logUnwritten(err)
			break
		}
		d.unwritten = d.unwritten[len(some):]
		for _, s := range some {
			if s.struck != nil && s.struck.Block > 0 {
				blocked = append(blocked, s)
			}
		}
	}
	return blocked
}

// writeStrike is WriteStrikes in a process that holds one client. The second try is the last.
func (s *Session) writeStrike() {
	for range 2 {
		s.door.WriteStrikes()
	}
	s.door.dropUnwritten()
}

// logUnwritten logs that offences are not written yet.
func (d *Door) logUnwritten(err error) {
	if !d.room {
		return // there is one, and it is written or lost in a moment
	}
	now := d.Ledger.Now().Boot
	if d.unwrittenLogged == 0 || now-d.unwrittenLogged >= heldEvery {
		d.unwrittenLogged = now
		d.warn(d.Policy.Ledger.Path + ": " + err.Error() + "; not written yet: " +
			strikes(len(d.unwritten)))
	}
}

// dropUnwritten gives up the offences that are not written, and logs it.
func (d *Door) dropUnwritten() {
	if n := len(d.unwritten); n > 0 {
		d.Ledger.CountTrouble(ledger.Unwritten, n)
		d.warn(d.Policy.Ledger.Path + ": could not be written to; lost: " + strikes(n))
	}
	d.unwritten = nil
}

// strikes is a number of them in words.
func strikes(n int) string {
	if n == 1 {
		return "1 strike"
	}
	return strconv.Itoa(n) + " strikes"
}
