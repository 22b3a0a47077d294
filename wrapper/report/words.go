package report

import "sendwrap/wrapper/decide"

// verdictOf is the verdict of that name; ok is false if it is none.
func verdictOf(word string) (v decide.Verdict, ok bool) {
	for v = decide.Denied; int(v) < numVerdicts; v++ {
		if v.String() == word {
			return v, true
		}
	}
	return 0, false
}

// numVerdicts is one more than the last verdict.
const numVerdicts = int(decide.DNSWL) + 1

// isOurs reports whether a line with keys of this version begins so.
func isOurs(word string) bool {
	switch word {
	case "ENDED", "STDERR", "START", "STOP", "IDLE", "BLOCK", "UNBLOCK", "STRIKE", "END", "DROP",
		"ONBLOCK":
		return true
	}
	_, ok := verdictOf(word)
	return ok
}

// isKnownKey reports whether a line of this version may have that key.
func isKnownKey(key string) bool {
	switch key {
	case "client", "server", "mode", "rule", "network", "wait", "turn", "serving", "waiting",
		"load", "reason", "conns", "mta", "hangups", "rate", "per", "dns", "score", "lists",
		"name", "strikes", "left", "reply", "hint", "kind", "bytes", "data", "error",
		"bad", "total", "good", "total_good", "bounces", "sender", "resets", "rcpts", "queue",
		"helo", "after", "status", "signal", "text", "file", "idle", "for", "by", "freed",
		"ended", "allowed", "blocks", "max_entries":
		return true
	}
	return false
}

// refused says of which verdicts a client gets no MTA, at the door.
func refused(v decide.Verdict) bool {
	switch v {
	case decide.Denied, decide.Blocked, decide.Busy, decide.Conns, decide.Rate, decide.Pregreet,
		decide.DNSBL:
		return true
	}
	return false
}

// ofGuard says which verdicts are the guard's alone.
func ofGuard(v decide.Verdict) bool {
	return v == decide.BadRcpts || v == decide.Resets || v == decide.MaxRcpts
}
