package ledger

// searchEvery is how often at most a process searches for idle sessions, over all processes, in ms.
const searchEvery = 1000

// maxWanted bounds the number of wanted places, whatever is in the file.
const maxWanted = 1 << 20

// WantPlaces says that n clients have no place because max_sessions sessions are being served. It
// returns how many idle sessions the caller is to search for: one for each place wanted since the
// last search, or 0 if that was less than a second ago. So one of a crowd of refused clients
// searches, and the others do not.
func (t *Tx) WantPlaces(n int) (search int) {
	s := t.state()
	since := t.now - s.searchedAt
	if since < 0 || since >= 2*searchEvery {
		s.wanted = 0 // the clients refused then have left
	}
	s.wanted = min(s.wanted, maxWanted) + uint32(max(0, min(n, maxWanted)))
	if since >= 0 && since < searchEvery {
		return 0
	}
	search = int(s.wanted)
	s.searchedAt, s.wanted = t.now, 0
	return search
}
