package loglines

import "sendwrap/wrapper/decide"

// VerdictOf is the verdict of that name; ok is false if it is none.
func VerdictOf(word string) (v decide.Verdict, ok bool) {
	for v = decide.Denied; int(v) < decide.NumVerdicts; v++ {
		if v.String() == word {
			return v, true
		}
	}
	return 0, false
}

// isOurs reports whether a line with keys of this version begins so.
func isOurs(word string) bool {
	switch word {
	case "ENDED", "STDERR", "START", "STOP", "IDLE", "BLOCK", "UNBLOCK", "STRIKE", "END", "DROP",
		"ONBLOCK", "SENT":
		return true
	}
	_, ok := VerdictOf(word)
	return ok
}

// isKnownKey reports whether a line of this version may have that key.
func isKnownKey(key string) bool {
	switch key {
	case "client", "server", "mode", "rule", "network", "wait", "turn", "serving", "waiting",
		"load", "reason", "conns", "mta", "hangups", "rate", "per", "dns", "score", "lists",
		"name", "open", "from", "strikes", "left", "reply", "hint", "kind", "bytes", "data",
		"error", "bad", "total", "good", "total_good", "bounces", "sender", "resets", "rcpts",
		"queue", "helo", "after", "status", "signal", "text", "file", "idle", "for", "by", "freed",
		"ended", "allowed", "blocks", "max_entries", "observed",
		"would_block":
		return true
	}
	return false
}

// Newer returns the words and keys of the line that this version does not know, the keys with the
// equals sign behind them.
func (l *Line) Newer() (unknown []string) {
	switch {
	case l.Word == "":
		return nil
	case !isOurs(l.Word):
		return []string{l.Word}
	}
	for i := range l.pairs {
		if key := l.pairs[i].key; !isKnownKey(key) {
			unknown = append(unknown, key+"=")
		}
	}
	return unknown
}
