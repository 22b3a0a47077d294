package ledger

// seekEvery is how often at most somebody looks for idle sessions, over all processes, in ms.
const seekEvery = 1000

// mostWanted bounds the places that are remembered, whatever stands in the file.
const mostWanted = 1 << 20

// WantPlaces says that so many clients have no place, because as many sessions as may are served.
// It returns for how many places the caller is to look among the idle sessions: for all that were
// wanted since somebody has looked; 0 if that is less than a second ago. One of a crowd of refused
// clients looks, and the others do not.
func (t *Tx) WantPlaces(n int) (seek int) {
	s := t.state()
	since := t.now - s.soughtAt
	if since < 0 || since >= 2*seekEvery {
		s.wanted = 0 // who was refused then does not wait for it
	}
	s.wanted = min(s.wanted, mostWanted) + uint32(max(0, min(n, mostWanted)))
	if since >= 0 && since < seekEvery {
		return 0
	}
	seek = int(s.wanted)
	s.soughtAt, s.wanted = t.now, 0
	return seek
}
