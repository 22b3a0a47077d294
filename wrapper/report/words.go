package report

import "sendwrap/wrapper/decide"

// numVerdicts is one more than the last verdict.
const numVerdicts = int(decide.DNSWL) + 1

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
