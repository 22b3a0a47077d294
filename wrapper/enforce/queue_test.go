package enforce

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/config"
)

// A queue does what CarryOut does, and whoever adds a block goes on at once.
func TestQueue(t *testing.T) {
	const grace = 500 * time.Millisecond
	p := inPlace(t, "block grace=500ms\nallow 192.0.2.77")
	p.hook(`echo "$2" "$4" >>${0%/*}/told; sleep 1`)
	q := p.queue()
	mine := []*session{p.serve("192.0.2.9"), p.serve("192.0.2.9"), p.serve("203.0.113.1")}
	others := []*session{p.serve("192.0.2.77"), p.serve("203.0.113.7")}
	a, b := p.block("192.0.2.0/24", time.Hour), p.block("203.0.113.1/32", time.Minute)
	began := time.Now()
	for range 100 {
		q.Add(a)
		q.Add(b)
	}
	if took := time.Since(began); took > 100*time.Millisecond {
		t.Errorf("200 times Add took %v", took)
	}
	for _, s := range mine {
		if at := s.ends(grace + time.Second); at.Sub(began) < grace {
			t.Errorf("a session was ended after %v", at.Sub(began))
		}
	}
	p.eventually("all is done", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.pending) == 0
	})
	for _, s := range others {
		if !s.runs() {
			t.Error("somebody else's session was ended")
		}
	}
	if p.logged("END network=192.0.2.0/24 ended=2 allowed=1 reason=a_test") != 1 || p.logged("END network=203.0.113.1/32 ended=1 ") != 1 || len(p.said()) != 2 {
		t.Errorf("log %q", p.said())
	}
	if told := strings.Split(strings.TrimSpace(p.content("told")), "\n"); len(told) != 1 || told[0] != "203.0.113.1/32 60" {
		t.Errorf("told %q", told) // of the other it is not, since it holds an allowed one
	}

	// When it is over the next block of the same network is one more.
	s := p.serve("203.0.113.1")
	q.Add(b)
	s.ends(5 * time.Second)
}

// A block that an administrator ends, and that begins again while the sessions of the first are yet to end, is told of anew: else
// the firewall would know nothing of it.
func TestQueueAgain(t *testing.T) {
	p := inPlace(t, "block grace=60s")
	p.hook(`echo "$4" >>${0%/*}/told`)
	q := p.queue()
	told := func(want string) {
		t.Helper()
		p.eventually("on_block is told "+want, func() bool { return p.content("told") == want })
	}
	q.Add(p.block("192.0.2.9/32", time.Minute))
	told("60\n")
	q.Add(p.block("192.0.2.9/32", time.Hour))
	q.Add(p.block("192.0.2.9/32", time.Hour))
	told("60\n3600\n")
	time.Sleep(100 * time.Millisecond)
	told("60\n3600\n")
}

// A flood of blocks costs who adds them nothing, and the log one line.
func TestQueueFlood(t *testing.T) {
	p := inPlace(t, "block grace=30s")
	p.hook("sleep 60")
	q := p.queue()
	const all = 5 * maxPending
	slowest := time.Duration(0)
	for i := range all {
		began := time.Now()
		q.Add(Block{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i / 256), byte(i)}), 32), time.Hour, "flood"})
		slowest = max(slowest, time.Since(began))
	}
	if slowest > 100*time.Millisecond {
		t.Errorf("the slowest Add took %v", slowest)
	}
	q.mu.Lock()
	n := len(q.pending)
	q.mu.Unlock()
	if n != maxPending {
		t.Errorf("%d are pending; want %d", n, maxPending)
	}
	missed := 0
	p.eventually("the log says how many were missed", func() bool {
		missed = 0
		for _, line := range p.said() {
			var n int
			if _, err := fmt.Sscanf(line, "%d blocks have begun while 1000 were yet to be carried out", &n); err == nil {
				missed += n
			}
		}
		return missed == all-maxPending
	})
	if n := p.logged("blocks have begun"); n > 20 { // each was written while others came
		t.Errorf("%d lines", n)
	}
}

// Who is about to end does not wait for the grace, and not for long for on_block.
func TestQueueClose(t *testing.T) {
	p := inPlace(t, "block grace=60s")
	s := p.serve("192.0.2.9")
	q := NewQueue(p.config, p.log)
	q.Add(p.block("192.0.2.9/32", time.Hour))
	began := time.Now()
	q.Close()
	if at := s.ends(0).Sub(began); at > time.Second {
		t.Errorf("the session was ended after %v", at)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("Close took %v", took)
	}
	q.Close()
	q.Add(p.block("192.0.2.10/32", time.Hour))
	if !q.Hurry() {
		t.Error("a queue that is closed takes another")
	}

	p.hook("sleep 30")
	q = NewQueue(p.config, p.log)
	q.Add(p.block("203.0.113.11/32", time.Hour))
	began = time.Now()
	q.Close()
	if took := time.Since(began); took < closeTime || took > closeTime+time.Second {
		t.Errorf("with on_block that hangs Close took %v; want %v", took, closeTime)
	}
}

// Who has hurried once and then stays has a grace again.
func TestQueueGoesOn(t *testing.T) {
	p := inPlace(t, "block grace=1s")
	q := p.queue()
	first := p.serve("192.0.2.9")
	q.Add(p.block("192.0.2.9/32", time.Hour))
	p.eventually("nothing is pending", q.Hurry)
	first.ends(time.Second)
	q.Hurry() // of no use, and no harm
	second := p.serve("192.0.2.10")
	began := time.Now()
	q.Add(p.block("192.0.2.10/32", time.Hour))
	if at := second.ends(5 * time.Second); at.Sub(began) < time.Second {
		t.Errorf("a session was ended after %v", at.Sub(began))
	}
}

// A configuration that is read anew holds for what is pending.
func TestQueueConfigure(t *testing.T) {
	p := inPlace(t, "block grace=500ms")
	q := p.queue()
	s := p.serve("192.0.2.9")
	q.Add(p.block("192.0.2.9/32", time.Hour))
	p.configure("mode observe")
	q.Configure(p.config, p.log)
	p.eventually("it is done", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.pending) == 0
	})
	if !s.runs() {
		t.Error("the session was ended")
	}
	if p.config.Mode != config.Observe {
		t.Error("nothing was configured")
	}
}
