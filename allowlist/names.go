package allowlist

import "sendwrap/allowlist/rule"

// names is what was said about names, by the name: "mail.example.org", or ".example.com" for all
// below it.
type names struct {
	calls int
	of    map[string]*said
}

// CountNames counts the calls of SetNameAccess and SetNameLimits.
func (l *List) CountNames() int {
	if l == nil {
		return 0
	}
	return l.names.calls
}

// SetNameAccess is SetAccess for a name that [ParseName] has returned.
func (l *List) SetNameAccess(name string, a rule.Access, src rule.Source) error {
	s := l.names.said(name)
	if a == rule.Unset {
		return nil
	}
	if before, at := s.setAccess(a, src); before != rule.Unset {
		return l.twice(Repeat{name, a, at, src}, before)
	}
	return nil
}

// SetNameLimits is SetLimits for a name that [ParseName] has returned.
func (l *List) SetNameLimits(name string, limits rule.Limits, src rule.Source) error {
	if k, at, contradicts := l.names.said(name).addLimits(limits, src); contradicts {
		return LimitTwice(name, k, at)
	}
	return nil
}

// said finds what was said about a name, so far perhaps nothing.
func (n *names) said(name string) *said {
	n.calls++
	s := n.of[name]
	if s != nil {
		return s
	}
	if n.of == nil {
		n.of = map[string]*said{}
	}
	s = &said{}
	n.of[name] = s
	return s
}

// HasNames reports whether anything was said about names.
func (l *List) HasNames() bool { return l != nil && len(l.names.of) > 0 }

// MatchName returns what applies to a client whose name it is, in any case, with or without a dot
// at its end: what was said of the name itself, then of the names above it, the longest first. The
// limits do so key by key. Whatever is no name has no rules.
//
// The caller must know that one of the name's addresses is the client's. Anybody can give any name
// to an address.
func (l *List) MatchName(name string) (m rule.Match) {
	name, ok := rule.NormalName(name)
	if !ok || !l.HasNames() {
		return m
	}
	for ; name != ""; name = rule.WiderName(name) {
		s := l.names.of[name]
		if s == nil {
			continue
		}
		if m.Access == rule.Unset && s.access != rule.Unset {
			m.Access, m.Name, m.Source = s.access, name, s.accessAt
		}
		if s.limits != nil {
			m.Limits = s.limits.OverriddenBy(m.Limits)
		}
	}
	return m
}
