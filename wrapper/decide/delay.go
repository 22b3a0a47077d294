package decide

import (
	"strconv"
	"time"

	"sendwrap/allowlist/rule"
)

const (
	enoughEarly = 50 // clients that spoke or left, before there is advice
	nearlyAll   = 97 // percent of them, which a delay is to catch
)

// AdviseDelay says which greet delay suffices, in whole seconds, and why; 0 if no other is known to
// be better. early is how many clients had spoken or left by a time, of those that had to wait for
// longest; common is the delay that most clients have.
func AdviseDelay(
	early func(by time.Duration) int, longest, common time.Duration,
) (delay time.Duration, why string) {
	const step = 100 * time.Millisecond
	name, all := rule.FormatDuration, early(longest)
	if all < enoughEarly {
		return 0, strconv.Itoa(all) + " clients that spoke or left are too few to tell; " +
			strconv.Itoa(enoughEarly) + " are enough"
	}
	by := step
	for by < longest && early(by)*100 < all*nearlyAll {
		by += step
	}
	if by*4 > longest*3 {
		return 0, "clients still speak at the end of " + name(longest) + ": observe with a " +
			"longer delay, since those that would speak later are not seen"
	}
	delay = min((by + time.Second - 1).Truncate(time.Second), longest)
	catches := strconv.Itoa(early(delay)*100/all) + " % of what " + name(longest) + " does"
	switch {
	case delay == common:
		return 0, name(delay) + " is right: it catches " + catches
	case delay > common:
		return delay, name(delay) + " catches " + catches + ", and most clients wait only " +
			name(common)
	}
	return delay, name(delay) + " catches " + catches + ", and honest clients wait less"
}
