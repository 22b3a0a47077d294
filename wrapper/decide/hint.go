package decide

import (
	"strings"

	"sendwrap/wrapper/policy"
)

// ReasonPregreet is what the ledger keeps as the reason of a strike for speaking early, and of the
// block that it makes; a colon and the kind follow.
const ReasonPregreet = "pregreet"

// Reason is what the ledger keeps for early bytes of that kind.
func Reason(k policy.Kind) string { return ReasonPregreet + ":" + k.String() }

// hints say what to do about an honest client that sends such bytes.
var hints = [...]string{
	policy.Ehlo: "if it is a monitor or a program of yours, allow its address",
	policy.Pipelined: "an Exim does so if the MTA offers PIPECONNECT: switch that off; " +
		"if it is a program of yours, allow its address",
	policy.TLS:  "it begins with TLS: have it use port 465, or STARTTLS",
	policy.HTTP: "it takes this for a web server: correct the address or proxy in its settings",
	policy.Proxy: "a balancer sends PROXY headers: switch that off there (send-proxy), " +
		"and allow its address",
	policy.Other: "data= of its PREGREET line has what it sent; if it is yours, allow its address",
}

// Hint is what an administrator can do if a strike or block with that reason has hit an honest
// client; "" if there is nothing to say beyond the reason.
func Hint(reason string) string {
	word, early := strings.CutPrefix(reason, ReasonPregreet+":")
	if kind, ok := policy.KindOf(word); early && ok {
		return hints[kind]
	}
	return ""
}
