package wrapper

import (
	"sendwrap/wrapper/decide"
)

// What only the guard asks of a door.

// ReplyCode is the code with which [Reply] begins.
func ReplyCode(v decide.Verdict) string {
	code, _, _ := v.Refusal()
	return code
}
