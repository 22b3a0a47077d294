package wrapper

import (
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// What only the guard asks of a door.

// Ask runs work on the ledger for the guard, which decides about what a client does after it has
// been let in. An error means that the work was not done; it has been logged, and the ledger may be
// asked again later.
func (d *Door) Ask(work func(*ledger.Tx)) error { return d.inLedger(work) }

// ReplyCode is the code with which [Reply] begins.
func ReplyCode(v decide.Verdict) string {
	code, _, _ := v.Refusal()
	return code
}
