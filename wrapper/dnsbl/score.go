package dnsbl

import (
	"net/netip"
	"time"
)

// Weight is what an answer of the list adds to the score: the sum of the weights of all sites
// whose filter fits any of the addresses, each once.
func (l *List) Weight(addrs []netip.Addr) int {
	sum := 0
	for i := range l.Sites {
		if s := &l.Sites[i]; s.fitsAny(addrs) {
			sum += s.Weight
		}
	}
	return sum
}

func (s *Site) fitsAny(addrs []netip.Addr) bool {
	for _, a := range addrs {
		if Fits(s.Filter, a) {
			return true
		}
	}
	return false
}

// Bounds are the least and the most that an answer can add. No answer may come near them if
// filters overlap, or exclude each other.
func (l *List) Bounds() (least, most int) {
	for _, s := range l.Sites {
		least += min(0, s.Weight)
		most += max(0, s.Weight)
	}
	return least, most
}

// Score is what the lists say together. The zero Score is that of nobody asked.
type Score struct {
	Sum     int // of the lists that have answered
	Lowest  int // the least that the sum can still become
	Highest int // the most

	above, below shortest // how long what speaks for a sum above 0 holds, and what speaks against
}

// Ask notes that the answer of a list is outstanding. Each list that was asked once has to be
// settled once, by Answer or NoAnswer.
func (s *Score) Ask(l *List) {
	least, most := l.Bounds()
	s.Lowest += least
	s.Highest += most
}

// NoAnswer notes that no answer of the list will come, or none that can be believed.
func (s *Score) NoAnswer(l *List) {
	least, most := l.Bounds()
	s.Lowest -= least
	s.Highest -= most
}

// Answer notes the answer of a list, and returns what it adds. Without addresses it says that the
// client is not listed; ttl is then for how long that holds.
func (s *Score) Answer(l *List, addrs []netip.Addr, ttl time.Duration) (weight int) {
	s.NoAnswer(l)
	weight = l.Weight(addrs)
	s.Sum += weight
	s.Lowest += weight
	s.Highest += weight
	for _, site := range l.Sites {
		if (site.Weight > 0) == (len(addrs) > 0) {
			s.above.add(ttl)
		} else {
			s.below.add(ttl)
		}
	}
	return weight
}

// TTL is for how long the score holds, but from least to most: until the first answer expires
// that speaks for it. For a score above 0 these are those of block lists that list, and of allow
// lists that do not; for any other score the others. If none does, all answers count.
func (s *Score) TTL(least, most time.Duration) time.Duration {
	speaking, other := s.below, s.above
	if s.Sum > 0 {
		speaking, other = other, speaking
	}
	if !speaking.known {
		speaking = other
	}
	return max(least, min(most, speaking.ttl)) // unknown is 0, and so the least
}

// shortest is the shortest of several times.
type shortest struct {
	ttl   time.Duration
	known bool
}

func (s *shortest) add(ttl time.Duration) {
	if !s.known || ttl < s.ttl {
		*s = shortest{ttl, true}
	}
}
