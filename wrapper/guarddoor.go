package wrapper

import (
	"net/netip"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// What only the guard asks of a door.

// Ask runs work on the ledger, which the door keeps for whoever decides about what a client does
// after it has been let in. An error means that it was not done; it has been logged, and the ledger
// may be asked again later.
func (d *Door) Ask(work func(*ledger.Tx)) error { return d.inLedger(work) }

// Reply is the line that tells a client of the verdict, without its end.
func Reply(v decide.Verdict, client netip.Addr, by *config.Config) string {
	return reply(v, config.Reject, client, by)
}

// ReplyCode is the code with which that line begins.
func ReplyCode(v decide.Verdict) string {
	code, _, _ := v.Refusal()
	return code
}
