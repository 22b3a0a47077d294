package room

import "time"

// seldom lets the first few of many like lines into the log within a minute, and counts the others.
type seldom struct {
	began time.Duration
	n     int
}

const (
	seldomEvery = time.Minute
	seldomMost  = 5
)

// allows says whether the line may be written. The second result is how many were not in the minute before,
// when a new one begins.
func (s *seldom) allows(now time.Duration) (ok bool, skipped int) {
	if s.n == 0 || now-s.began >= seldomEvery {
		skipped = max(0, s.n-seldomMost)
		s.began, s.n = now, 0
	}
	s.n++
	return s.n <= seldomMost, skipped
}
