package wrapper

import (
	"net/netip"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
)

// What only the guard asks of a door.

// Reply is the line that tells a client of the verdict, without its end.
func Reply(v decide.Verdict, client netip.Addr, by *config.Config) string {
	return reply(v, config.Reject, client, by)
}

// ReplyCode is the code with which that line begins.
func ReplyCode(v decide.Verdict) string {
	code, _, _ := v.Refusal()
	return code
}
