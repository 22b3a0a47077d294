package report

import (
	"strings"

	"sendwrap/wrapper/decide"
)

// refused says of which verdicts a client gets no MTA, at the door, for a reason of its own.
func refused(v decide.Verdict) bool {
	return v.Refuses() && !v.OfGuard() && v != decide.Failed
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
