package loglines

import (
	"strings"
	"time"
)

// stamp is a time of RFC 3164: without a year, by the clock on the wall.
type stamp struct {
	month                     time.Month
	day, hour, minute, second int
}

const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// parseStamp reads "Dec  1 15:47:17".
func parseStamp(text string) (s stamp, ok bool) {
	if len(text) != 15 || text[3] != ' ' || text[6] != ' ' || text[9] != ':' || text[12] != ':' {
		return s, false
	}
	at := strings.Index(months, text[:3])
	s = stamp{
		month: time.Month(at/3 + 1), day: digits(text[4], text[5]), hour: digits(text[7], text[8]),
		minute: digits(text[10], text[11]), second: digits(text[13], text[14]),
	}
	ok = at >= 0 && at%3 == 0 && s.day >= 1 && s.day <= 31 && s.hour >= 0 && s.hour < 24 &&
		s.minute >= 0 && s.minute < 60 && s.second >= 0 && s.second <= 60
	return s, ok
}

// digits is the number of two digits, of which the first may be a blank; negative if it is none.
func digits(tens, ones byte) int {
	if tens == ' ' {
		tens = '0'
	}
	if tens < '0' || tens > '9' || ones < '0' || ones > '9' {
		return -100
	}
	return int(tens-'0')*10 + int(ones-'0')
}

// in is the time in that year.
func (s stamp) in(year int, zone *time.Location) time.Time {
	return time.Date(year, s.month, s.day, s.hour, s.minute, s.second, 0, zone)
}

// How far a clock may go back, or a log be behind its file's time, before it is another year.
const (
	maxBack  = 31 * 24 * time.Hour
	maxAhead = 24 * time.Hour
	oneYear  = 365 * 24 * time.Hour
)

// years finds the years of the times of one log, line by line. A year is the one in which the line
// is less than a month before the line before it, and less than eleven after it; never more than a
// day after the log's last change. So a clock that goes back is not a new year, and December after
// January is the year before.
type years struct {
	zone    *time.Location
	changed time.Time // the log's last change
	year    int       // of the line before; 0 at the first
	last    stamp     // of the line before
	minute  stamp     // of it, with second 0
	base    time.Time // when that minute began
}

// time returns when a line was written.
func (y *years) time(s stamp) time.Time {
	second := time.Duration(s.second) * time.Second
	minute := s
	minute.second = 0
	if y.year != 0 && minute == y.minute {
		return y.base.Add(second)
	}
	year := y.year
	if year == 0 {
		year = latest(s, y.changed, y.zone)
	} else {
		year += turn(y.last, s)
		if s.in(year, y.zone).After(y.changed.Add(maxAhead)) {
			year--
		}
	}
	y.year, y.last, y.minute, y.base = year, s, minute, minute.in(year, y.zone)
	return y.base.Add(second)
}

// latest is the last year in which a time is not after the log's last change.
func latest(s stamp, changed time.Time, zone *time.Location) int {
	year := changed.In(zone).Year() + 1
	for s.in(year, zone).After(changed.Add(maxAhead)) {
		year--
	}
	return year
}
