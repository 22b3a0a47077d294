package guard

import (
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// waits plays a session's commands, and fails unless the guard delays n answers, each by d.
func (p *post) waits(m *mta, n int, each time.Duration, commands, answers string) {
	m.t.Helper()
	s := p.session("192.0.2.1")
	before, began := s.delayed, time.Now()
	m.play(commands, answers)
	want := time.Duration(n) * each
	took := time.Since(began)
	if d := s.delayed - before; d != want || took < want {
		m.t.Errorf("%s: waits of %v, answers after %v; want %v", commands, d, took, want)
	}
}

// The delay is before each answer about a recipient after the first bad one, and before no other.
func TestDelay(t *testing.T) {
	const delay = 100 * time.Millisecond
	p := stand(t, "bad_rcpt_delay 100ms\nbad_rcpts 4\nbad_rcpts_total 0\nblock off\n")
	m := p.client("192.0.2.1")
	p.waits(m, 0, delay, "mail good good good busy bad", "c c c c c c")
	p.waits(m, 1, delay, "good", "c")
	p.waits(m, 0, delay, "rset mail end mail", "c c c")
	p.waits(m, 1, delay, "bad", "c")
	p.waits(m, 1, delay, "busy", "c")
	p.waits(m, 0, delay, "auth good bad rset", "c c c")
	p.waits(m, 1, delay, "mail bad", "c c")
	p.waits(m, 0, delay, "bad good mail good", "421 421 421 421") // the session is over
}

// The sum of a session's delays is bounded.
func TestLongestDelay(t *testing.T) {
	p := build(t, "bad_rcpt_delay 500ms\nbad_rcpts 0\nbad_rcpts_total 0\n")
	if p.longestDelay != 30*time.Second || p.packetTime != 10*time.Second ||
		p.idleTime != 2*time.Hour {
		t.Errorf("a guard is as patient as %v, %v, %v", p.longestDelay, p.packetTime, p.idleTime)
	}
	p.longestDelay = 600 * time.Millisecond
	p.begin()
	m := p.client("192.0.2.1")
	const delay, rest = 500 * time.Millisecond, 100 * time.Millisecond
	p.waits(m, 0, delay, "mail bad", "c c")
	p.waits(m, 1, delay, "good", "c")
	p.waits(m, 1, rest, "bad", "c")
	p.waits(m, 0, delay, "bad good bad good bad good rset mail bad", "c c c c c c c c")
	m.Close()
	lab.Eventually(t, "it has left", func() bool { return len(p.allSessions()) == 0 })
	p.waits(p.client("192.0.2.1"), 1, delay, "mail bad bad", "c c c") // another session has its own
}

// The delay may be set for a network, to 0 also.
func TestDelayOfClient(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 5s\nbad_rcpts 0\nbad_rcpts_total 0\n"+
		"client 192.0.2.0/24 bad_rcpt_delay=0s\n")
	p.waits(p.client("192.0.2.1"), 0, 0, "mail bad bad bad good", "c c c c c")
}

// asleep waits until a session is delayed.
func asleep(t *testing.T) {
	t.Helper()
	lab.Eventually(t, "a session waits", func() bool { return sleeping() == 1 })
}

func sleeping() int { return inside("(*guard).sleep") }

// A block that begins during a delay changes the delayed answer.
func TestBlockedWhileWaiting(t *testing.T) {
	for delay := 500 * time.Millisecond; ; delay *= 2 {
		p := build(t, "block strikes=3 grace=60s\n")
		p.longestDelay, p.config.Load().BadRcptDelay = never, delay
		go p.accept(p.listen())
		m := p.client("192.0.2.1")
		m.play("mail bad", "c c")
		seen := p.findNewBlocks(0)
		began := time.Now()
		answer := make(chan string, 1)
		go func() { answer <- m.good("x") }()
		lab.Eventually(t, "it waits, or has waited",
			func() bool { return sleeping() == 1 || len(answer) == 1 })
		p.block("192.0.2.0/24", time.Hour)
		p.findNewBlocks(seen)
		if inTime := time.Since(began) < delay; !inTime {
			t.Logf("%v are over before the block is found", delay)
			<-answer
			continue
		}
		m.want("y421", <-answer)
		return
	}
}

// A guard that ends delays no session.
func TestEndWhileWaiting(t *testing.T) {
	p := build(t, "")
	p.longestDelay, p.config.Load().BadRcptDelay = never, never
	p.begin()
	m := p.client("192.0.2.1")
	m.play("mail bad", "c c")
	answer := make(chan string)
	go func() { answer <- m.good("x") }()
	asleep(t)
	p.stop()
	if got := <-answer; got != "c" && got != "" {
		t.Errorf("%q", got)
	}
}
