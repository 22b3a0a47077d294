package wrapper

import (
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

// What only the guard asks of a door.

// Ask runs work on the ledger, which the door keeps for whoever decides about what a client does after it has been let in. An
// error means that it was not done; it has been logged, and the ledger may be asked again later.
func (d *Door) Ask(work func(*ledger.Tx)) error { return d.inLedger(work) }

// Reply is the line that tells a client of the verdict, without its end.
func Reply(v Verdict, host string) string { return reply(v, config.Reject, host) }

// ReplyCode is the code with which that line begins.
func ReplyCode(v Verdict) string { return verdicts[v].code }
