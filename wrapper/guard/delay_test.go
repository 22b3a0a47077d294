package guard

import (
	"testing"
	"time"
)

// timed is how long the guard takes to answer.
func (m *mta) timed(commands, answers string) time.Duration {
	m.t.Helper()
	began := time.Now()
	m.play(commands, answers)
	return time.Since(began)
}

func (m *mta) takes(least, most time.Duration, commands, answers string) {
	m.t.Helper()
	if d := m.timed(commands, answers); d < least || d > most {
		m.t.Errorf("%s takes %v; want %v to %v", commands, d, least, most)
	}
}

// The wait is before each answer about a recipient after the first bad one, and before no other.
func TestDelay(t *testing.T) {
	const delay = 500 * time.Millisecond // shorter than what a slow machine may take for all the rest
	p := stand(t, "bad_rcpt_delay 500ms\nbad_rcpts 4\nbad_rcpts_total 0\nblock off\n")
	m := p.client("192.0.2.1")
	m.takes(0, delay, "mail good good good busy bad", "c c c c c c")
	m.takes(delay, 2*delay, "good", "c")
	m.takes(0, delay, "rset mail end mail", "c c c")
	m.takes(delay, 2*delay, "bad", "c")
	m.takes(delay, 2*delay, "busy", "c")
	m.takes(0, delay, "auth good bad rset", "c c c")
	m.takes(delay, 2*delay, "mail bad", "c c")
	m.takes(0, delay, "bad good mail good", "421 421 421 421") // who is ended has waited enough, and so has his MTA
}

// All waits of a session together are bounded.
func TestLongestDelay(t *testing.T) {
	p := build(t, "bad_rcpt_delay 500ms\nbad_rcpts 0\nbad_rcpts_total 0\n")
	if p.longestDelay != 30*time.Second || p.packetTime != 10*time.Second || p.idleTime != 2*time.Hour {
		t.Errorf("a guard is as patient as %v, %v, %v", p.longestDelay, p.packetTime, p.idleTime)
	}
	p.longestDelay = 600 * time.Millisecond
	p.begin()
	m := p.client("192.0.2.1")
	const delay = 500 * time.Millisecond
	m.takes(0, delay, "mail bad", "c c")
	m.takes(delay, 2*delay, "good", "c")
	m.takes(100*time.Millisecond, delay, "bad", "c")
	m.takes(0, delay, "bad good bad good bad good rset mail bad", "c c c c c c c c")
	p.client("192.0.2.1").takes(delay, 2*delay, "mail bad bad", "c c c") // another session has its own
}

// The network says how long, 0 too.
func TestDelayOfClient(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 5s\nbad_rcpts 0\nbad_rcpts_total 0\nclient 192.0.2.0/24 bad_rcpt_delay=0s\n")
	p.client("192.0.2.1").takes(0, 4*time.Second, "mail bad bad bad good", "c c c c c")
}

// A block that begins while a session waits is heard of with the answer for which it waited.
func TestBlockedWhileWaiting(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 700ms\nblock strikes=3 grace=60s\n")
	m := p.client("192.0.2.1")
	m.play("mail bad", "c c")
	go func() {
		time.Sleep(100 * time.Millisecond)
		p.block("192.0.2.0/24", time.Hour)
	}()
	m.play("good", "421")
}

// A guard that ends lets nobody wait.
func TestEndWhileWaiting(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 5s\n")
	m := p.client("192.0.2.1")
	m.play("mail bad", "c c")
	began := time.Now()
	time.AfterFunc(100*time.Millisecond, p.stop)
	if got := m.good("x"); got != "c" && got != "" {
		t.Errorf("%q", got)
	}
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("the session waits for %v", d)
	}
}
