package exec

import (
	"fmt"
	"path/filepath"
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

// The door becomes the MTA without a thread for that, nor for the relay. Go may start one at any
// time on a slow machine, but not each time.
func TestNoThreadForTheMTA(t *testing.T) {
	threads := func(s *session) int {
		list, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", s.pid))
		must(err)
		return len(list)
	}
	missing := []string{"/nonexistent/mta"} // so that the threads can be counted afterwards
	more := 1
	for tries := 0; more > 0 && tries < 100; tries++ {
		s := start(t, setup{Program: built(t, asDoor), SetStderr: true, Argv: missing}, fds{})
		before := threads(s)
		s.send("hello\n")
		if got := s.line(); !strings.HasPrefix(got, "421 ") {
			t.Fatalf("the client read %q", got)
		}
		more = min(more, threads(s)-before)
	}
	if more > 0 {
		t.Error("each door started a further thread")
	}
}
