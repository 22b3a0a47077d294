package report

import (
	"strings"

	"sendwrap/wrapper/decide"
)

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

// isUsual reports whether a line in words tells of no trouble: a file of syslogd does not say which
// level a line has.
func isUsual(text string) bool {
	return strings.HasSuffix(text, ": configuration reloaded") ||
		strings.HasPrefix(text, "guard: listening on ") || text == "guard: ended"
}
