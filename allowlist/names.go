package allowlist

import "sendwrap/allowlist/rule"

// HasNames reports whether the list has rules for names.
func (l *List) HasNames() bool { return false }

// MatchName returns what applies to a client whose confirmed name it is.
func (l *List) MatchName(name string) rule.Match { return rule.Match{} }
