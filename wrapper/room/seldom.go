package room

import "time"

// seldom lets the first few of many like lines into the log within a minute, and says afterwards
// how many others there were.
type seldom struct {
	others string // what they were: "more MTAs …"
	began  time.Duration
	n      int
}

const (
	seldomEvery = time.Minute
	seldomMost  = 5
)

// allows says whether the line may be written.
func (s *seldom) allows(now time.Duration) bool {
	if s.n == 0 {
		s.began = now
	}
	s.n++
	return s.n <= seldomMost
}

// report ends the minute when it is over, and says then how many were not written. It reports
// whether there is none to be ended.
func (s *seldom) report(r *room) (done bool) {
	if s.n == 0 {
		return true
	}
	if r.now-s.began < seldomEvery {
		return false
	}
	if s.n > seldomMost {
		r.warnf("%d more %s", s.n-seldomMost, s.others)
	}
	s.n = 0
	return true
}
