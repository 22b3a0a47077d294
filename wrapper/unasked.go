package wrapper

// mostInquiries bounds what a room asks at once. Further clients take turns, the newest first: the
// oldest have hardly any time left. Until then there is nothing of a lookup in memory.
const mostInquiries = 512

// askUnasked asks about as many clients as may be asked about at once.
func (a *asker) askUnasked() {
	for n := len(a.unasked) - 1; n >= 0 && len(a.inquiries) < mostInquiries; n-- {
		s := a.unasked[n]
		a.unasked[n], a.unasked = nil, a.unasked[:n]
		s.Ask()
	}
	if len(a.unasked) == 0 {
		a.unasked = nil // a crowd may have made it large
	}
}

// askLater has the session take its turn. Those that do not wait any more make room. It looks for
// them after as many sessions as are left at least: in a flood each look would cost as much as all
// that wait. Functions of package slices would make the door larger: see HearDNS.
func (a *asker) askLater(s *Session) {
	if len(a.unasked) == cap(a.unasked) {
		waiting := 0
		for _, s := range a.unasked {
			if h := s.heard; h != nil && h.request != nil && !h.result.Done {
				a.unasked[waiting] = s
				waiting++
			}
		}
		clear(a.unasked[waiting:])
		if a.unasked = a.unasked[:waiting]; 2*waiting > cap(a.unasked) {
			a.unasked = append(make([]*Session, 0, 2*waiting), a.unasked...)
		}
	}
	a.unasked = append(a.unasked, s)
}
