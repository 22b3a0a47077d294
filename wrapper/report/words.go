package report

import (
	"strings"

	"sendwrap/wrapper/decide"
)

// refused reports whether a client gets no MTA, at the door, for a reason that is not our fault.
func refused(v decide.Verdict) bool {
	return v.Refuses() && !v.OfGuard() && v != decide.Failed
}

// isOffence reports whether a client is refused for what it did, or what lists say it does: not in
// a crowd, and not by a line that names it already.
func isOffence(v decide.Verdict) bool {
	switch v {
	case decide.Pregreet, decide.Blocked, decide.DNSBL, decide.BadRcpts:
		return true
	}
	return false
}

// isUsual reports whether a line in words tells of no trouble: a file of syslogd does not say which
// level a line has.
func isUsual(text string) bool {
	for _, begin := range []string{
		"guard: listening on ", "guard: ended", "share: ended", "the machine has rebooted: ",
		"a new program has taken over ",
	} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return strings.HasSuffix(text, ": configuration reloaded") ||
		strings.HasPrefix(text, "share: ") && strings.Contains(text, " answers; this machine is ")
}
