package enforce

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/config"
)

// A queue does what CarryOut does, and whoever adds a block goes on at once.
func TestQueue(t *testing.T) { afterGrace(t, queued) }

func queued(t *testing.T, grace time.Duration) bool {
	t.Helper()
	p := inPlace(t, "allow 192.0.2.77")
	p.config.Block.Grace = grace
	p.hook(`echo "$2" >>${0%/*}/told`)
	q, release := p.queue(), p.holdSlots()
	mine := []*session{p.serve("192.0.2.9"), p.serve("192.0.2.9"), p.serve("203.0.113.1")}
	others := []*session{p.serve("192.0.2.77"), p.serve("203.0.113.7")}
	a, b := p.block("192.0.2.0/24", time.Hour), p.block("203.0.113.1/32", time.Hour)
	began := time.Now()
	for range 100 {
		q.Add(a)
		q.Add(b)
	}
	if q.idle() {
		t.Error("Add is back when on_block has run, and not before")
	}
	release()
	inTime := true
	for _, s := range mine {
		inTime = s.endsAfter(began, grace) && inTime
	}
	lab.Eventually(p, "all is done", q.idle)
	for _, s := range others {
		if !s.spared() {
			t.Error("somebody else's session was ended")
		}
	}
	if p.logged("END network=192.0.2.0/24 ended=2 allowed=1 reason=a_test") != 1 || p.logged("END network=203.0.113.1/32 ended=1 ") != 1 || len(p.said()) != 2 {
		t.Errorf("log %q", p.said())
	}
	if told := p.content("told"); told != "203.0.113.1/32\n" {
		t.Errorf("told %q", told) // of the other it is not, since it holds an allowed one
	}

	if !inTime {
		return false
	}

	// When it is over the next block of the same network is one more.
	s := p.serve("203.0.113.1")
	q.Add(b)
	s.ends()
	return true
}

// An administrator may end a block, and it may begin again while the sessions of the first are yet
// to end: then on_block hears of it again, or the firewall would know nothing of it. The same block
// twice it hears of once.
func TestQueueAgain(t *testing.T) {
	p := inPlace(t, "")
	p.config.Block.Grace = never
	p.hook(`{ test $4 -gt 3600 && echo day || echo hour; } >>${0%/*}/told`)
	q := p.queue()
	told := func(n netip.Prefix) string {
		t.Helper()
		lab.Eventually(p, "on_block is told all", func() bool {
			q.mu.Lock()
			defer q.mu.Unlock()
			return q.pending[n].todo == 1 // the end of the sessions
		})
		defer os.Remove(p.file("told"))
		return p.content("told")
	}
	for i := 1; ; i++ {
		hour := p.block(fmt.Sprintf("192.0.2.%d/32", i), time.Hour)
		q.Add(hour)
		if got := told(hour.Network); got != "hour\n" {
			t.Errorf("on_block is told %q", got)
		}
		day := Block{hour.Network, 24 * time.Hour, "a test"}
		began := time.Now()
		q.Add(day)
		if got := told(hour.Network); got != "day\n" {
			t.Fatalf("on_block is told %q of what ends at another time", got)
		}
		q.Add(day)
		inTime := time.Since(began) < time.Second // else it may end at another time
		if got := told(hour.Network); inTime {
			if got != "" {
				t.Errorf("on_block is told %q of the same", got)
			}
			return
		}
	}
}

// In a flood of blocks Add waits for nothing, though on_block hangs, and the log has one line a
// second.
func TestQueueFlood(t *testing.T) {
	p := inPlace(t, "")
	p.config.Block.Grace = never
	p.hook("sleep 60")
	q := p.queue()
	const all = 5 * maxPending
	began := time.Now()
	for i := range all {
		q.Add(Block{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i / 256), byte(i)}), 32), time.Hour, "flood"})
	}
	q.mu.Lock()
	n := len(q.pending)
	q.mu.Unlock()
	if n != maxPending {
		t.Errorf("%d are pending; want %d", n, maxPending)
	}
	missed := 0
	lab.Eventually(p, "the log says how many were missed", func() bool {
		missed = 0
		for _, line := range p.said() {
			var n int
			if _, err := fmt.Sscanf(line, "%d blocks have begun while 1000 were yet to be carried out", &n); err == nil {
				missed += n
			}
		}
		return missed == all-maxPending
	})
	lab.Eventually(p, "there are three lines", func() bool {
		q.Add(Block{netip.MustParsePrefix("10.2.0.0/16"), time.Hour, "flood"})
		return p.logged("blocks have begun") >= 3
	})
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("three lines within %v", took)
	}
}

// A process that is about to end does not wait for the grace, and not for long for on_block.
func TestQueueClose(t *testing.T) {
	p := inPlace(t, "")
	p.config.Block.Grace = never
	s := p.serve("192.0.2.9")
	q := NewQueue(p.config, p.log)
	q.Add(p.block("192.0.2.9/32", time.Hour))
	q.Close()
	s.ends()
	q.Close()
	q.Add(p.block("192.0.2.10/32", time.Hour))
	if !q.Hurry() {
		t.Error("a queue that is closed takes another")
	}

	p.hook("true")
	release := p.holdSlots() // for which on_block waits much longer than Close
	q = NewQueue(p.config, p.log)
	q.Add(p.block("203.0.113.11/32", time.Hour))
	began := time.Now()
	q.Close()
	if took := time.Since(began); took < closeTime || q.idle() {
		t.Errorf("with on_block that hangs Close took %v; want %v", took, closeTime)
	}
	release()
	lab.Eventually(p, "on_block has run", q.idle)
}

// A process that has hurried once and then stays has a grace again.
func TestQueueGoesOn(t *testing.T) {
	p := inPlace(t, "block grace=1s")
	p.hook("true")
	defer p.holdSlots()() // so that something is pending all the time
	q := p.queue()
	for i, hurry := range []bool{false, true, false} {
		client := fmt.Sprintf("203.0.113.%d", i)
		s := p.serve(client)
		began := time.Now()
		q.Add(p.block(client+"/32", time.Hour))
		if hurry {
			q.Hurry()
		}
		if at := s.ends(); !hurry && at.Sub(began) < time.Second {
			t.Errorf("session %d was ended after %v", i, at.Sub(began))
		}
	}
}

// A configuration that is read again holds for what is pending.
func TestQueueConfigure(t *testing.T) {
	p := inPlace(t, "")
	p.config.Block.Grace = never
	q := p.queue()
	s := p.serve("192.0.2.9")
	q.Add(p.block("192.0.2.9/32", time.Hour))
	p.configure("mode observe")
	q.Configure(p.config, p.log)
	lab.Eventually(p, "it is done", q.Hurry)
	if !s.spared() {
		t.Error("the session was ended")
	}
	if p.config.Mode != config.Observe {
		t.Error("nothing was configured")
	}
}
