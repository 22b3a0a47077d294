package replay

import (
	"testing"
	"time"
)

// waited is what the line of a quiet client says.
const waited = "wait=6s/6s conns=1/50"

// Strikes that a program has reported count, by the limits that are tried.
func TestStrikesOfPrograms(t *testing.T) {
	struck := line(10*second, "STRIKE client=[192.0.2.1] network=192.0.2.1/32 strikes=1/3 "+
		"reason=spam by=uid:0")
	blocks := line(20*second, "STRIKE client=[192.0.2.1] network=192.0.2.1/32 strikes=2/2 "+
		"left=1h reason=spam by=uid:0")
	passes := said(30*second, "PASS", "192.0.2.1", waited)
	blocked := said(30*second, "BLOCKED", "192.0.2.1",
		"network=192.0.2.1/32 left=59m50s reason=spam reply=421")
	for _, tt := range []struct {
		log, conf, now string
	}{
		{struck + passes, "", "PASS"},
		{struck + passes, "block strikes=1\n", "BLOCKED"},
		{struck + blocks + blocked, "block strikes=2\n", "BLOCKED"},
		{struck + blocks + blocked, "", Waits},
	} {
		r := again(t, tt.log, tt.conf)
		if r.Untold.Before > 0 || r.Connections != 1 || verdictNow(r) != tt.now {
			t.Errorf("%q: %+v, %+v; want %s", tt.conf, r.Verdicts, r.Untold, tt.now)
		}
	}
}

// verdictNow is the verdict of the only client.
func verdictNow(r *Result) (word string) {
	for _, v := range r.Verdicts {
		if v.Now > 0 {
			word += v.Verdict
		}
	}
	return word
}

// A line about the end of a session ends it: the place is free for the next client.
func TestEndOfSession(t *testing.T) {
	for end, busy := range map[string]int{
		"": 1, "ENDED client=[192.0.2.1]:50": 0, "IDLE client=[192.0.2.1]:50": 0,
		"ENDED client=[192.0.2.1]:51": 1, // another connection
	} {
		log := said(10*second, "PASS", "192.0.2.1", waited)
		if end != "" {
			log += line(20*second, end+" server=[198.51.100.5]:25 after=1s status=1")
		}
		log += said(30*second, "PASS", "192.0.2.2", waited)
		r := again(t, log, "max_sessions 1\nreserve 0%\n")
		if r.Connections-r.Same != busy {
			t.Errorf("%q: %d of %d have their verdict", end, r.Same, r.Connections)
		}
	}
}

// What a log says of clients that are known by their mail holds: messages are not in it.
func TestKnownByMail(t *testing.T) {
	log := said(10*second, "PASS", "192.0.2.1", waited) +
		said(20*second, "KNOWN", "192.0.2.1", "conns=1/50") +
		said(30*second, "PASS", "192.0.2.2", waited) + said(40*second, "PASS", "192.0.2.2", waited)
	r := again(t, log, "remember_after mail\n")
	if r.Same != 4 || r.Untold.Before != 1 {
		t.Errorf("%d have their verdict: %+v", r.Same, r.Untold)
	}
}

// A client that would have had to wait for longer than it did is taken for quiet, and counted; but
// one that the log has seen speak or leave is not.
func TestLongerDelay(t *testing.T) {
	log := said(10*second, "PASS", "192.0.2.1", waited) +
		said(20*second, "HANGUP", "192.0.2.2", "wait=3s/6s conns=1/50") +
		said(30*second, "PASS", "192.0.2.3", "wait=9s/9s conns=1/50")
	for delay, longer := range map[time.Duration]int{
		5 * second: 0, 6 * second: 0, 8 * second: 1, 20 * second: 2,
	} {
		r := again(t, log, "greet_delay "+delay.String()+" stress=1s\n")
		if r.Same != 3 || r.Untold.Longer != longer {
			t.Errorf("%v: %d have their verdict, %d would have waited longer; want %d", delay,
				r.Same, r.Untold.Longer, longer)
		}
	}
}
