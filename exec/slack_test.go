package exec

import (
	"strconv"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// The MTA, the full program and the MTA of that have the timer slack that the door came with, also
// after failures. One that is longer than the door's own is left alone.
func TestTimerSlack(t *testing.T) {
	lab.NeedRoot(t) // to see that of another process
	door, full := built(t, asDoor), built(t, released)
	for _, came := range []int{50_000, 1, 4_999_999, 5_000_000, 1_000_000_000} {
		want := strconv.Itoa(came)
		got := func(s *session) string { return strings.TrimSpace(s.read("timerslack_ns")) }
		s := start(t, setup{Program: door, Slack: came, Failures: 1}, fds{})
		if slack := strconv.Itoa(max(came, 5_000_000)); got(s) != slack {
			t.Errorf("came with %s: the door has %s; want %s", want, got(s), slack)
		}
		s.becomeMTA()
		if got(s) != want {
			t.Errorf("came with %s: the MTA has %s", want, got(s))
		}
		s = start(t, setup{Program: door, Become: full, Slack: came, Failures: 1}, fds{})
		if got(s) != want {
			t.Errorf("came with %s: the full program has %s", want, got(s))
		}
		s.becomeMTA()
		if got(s) != want {
			t.Errorf("came with %s: the MTA of the full program has %s", want, got(s))
		}
	}
}
