package enforce

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/policy"
)

// A queue does what CarryOut does, and Add returns at once.
func TestQueue(t *testing.T) { afterGrace(t, queued) }

func queued(t *testing.T, grace time.Duration) bool {
	t.Helper()
	p := inPlace(t, "allow 192.0.2.77")
	p.config.Block.Grace = grace
	p.hook(`echo "$2" >>${0%/*}/runs`)
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
		t.Error("Add returns only when on_block has run")
	}
	inTime := time.Since(began) < time.Second // else on_block may run again
	release()
	for _, s := range mine {
		inTime = s.endsAfter(began, grace) && inTime
	}
	lab.Eventually(p, "all is done", q.idle)
	for _, s := range others {
		if !s.leftAlone() {
			t.Error("another client's session was ended")
		}
	}
	if p.logged("END network=192.0.2.0/24 ended=2 allowed=1 reason=a_test") != 1 ||
		p.logged("END network=203.0.113.1/32 ended=1 ") != 1 || len(p.said()) != 2 {
		t.Errorf("log %q", p.said())
	}
	if !inTime {
		return false
	}
	if runs := p.content("runs"); runs != "203.0.113.1/32\n" {
		t.Errorf("on_block ran for %q", runs) // not for the network with an allowed client
	}

	// Afterwards the next block of the same network is carried out, too.
	s := p.serve("203.0.113.1")
	q.Add(b)
	s.ends()
	return true
}

// An administrator may end a block, and it may begin again before the sessions of the first have
// ended. on_block then runs again, or the firewall would not have the second block. It runs once
// for the same block added twice.
func TestQueueAgain(t *testing.T) {
	p := inPlace(t, "")
	p.config.Block.Grace = never
	p.hook(`{ test $4 -gt 3600 && echo day || echo hour; } >>${0%/*}/runs`)
	q := p.queue()
	runs := func(n netip.Prefix) string {
		t.Helper()
		lab.Eventually(p, "on_block has run", func() bool {
			q.mu.Lock()
			defer q.mu.Unlock()
			return q.pending[n].tasks == 1 // the end of the sessions
		})
		defer os.Remove(p.file("runs"))
		return p.content("runs")
	}
	for i := 1; ; i++ {
		p.serve(fmt.Sprintf("192.0.2.%d", i))
		hour := p.block(fmt.Sprintf("192.0.2.%d/32", i), time.Hour)
		q.Add(hour)
		if got := runs(hour.Network); got != "hour\n" {
			t.Errorf("on_block ran for %q; log %q", got, p.said())
		}
		day := Block{Network: hour.Network, For: 24 * time.Hour, Reason: "a test"}
		began := time.Now()
		q.Add(day)
		if got := runs(hour.Network); got != "day\n" {
			t.Fatalf("on_block ran for %q; want it to run for another end; log %q", got, p.said())
		}
		q.Add(day)
		inTime := time.Since(began) < time.Second // else it may end at another time
		if got := runs(hour.Network); inTime {
			if got != "" {
				t.Errorf("on_block ran for %q again", got)
			}
			return
		}
	}
}

// In a flood of blocks Add does not wait, though on_block gets no slot, and the log has one line a
// second.
func TestQueueFlood(t *testing.T) {
	p := inPlace(t, "")
	p.hook("true")
	release := p.holdSlots()
	q := p.queue()
	q.enforcer.patience = never
	const all = 5 * maxPending
	began := time.Now()
	for i := range all {
		client := netip.AddrFrom4([4]byte{10, 1, byte(i / 256), byte(i)})
		q.Add(Block{Network: netip.PrefixFrom(client, 32), For: time.Hour, Reason: "flood"})
	}
	q.mu.Lock()
	n := len(q.pending)
	q.mu.Unlock()
	if n != maxPending {
		t.Errorf("%d are pending; want %d", n, maxPending)
	}
	const full = "enforcement queue full (1000 blocks pending): "
	lab.Eventually(p, "the log says how many were skipped", func() bool {
		skipped := 0
		for _, line := range p.said() {
			var n int
			if i := strings.Index(line, ", for "); strings.HasPrefix(line, full) && i > 0 {
				if _, err := fmt.Sscanf(line[i:], ", for %d more blocks", &n); err == nil {
					skipped += n
				}
			}
		}
		return skipped == all-maxPending
	})
	lab.Eventually(p, "there are three lines", func() bool {
		q.Add(Block{Network: netip.MustParsePrefix("10.2.0.0/16"), For: time.Hour, Reason: "flood"})
		return p.logged(full) >= 3
	})
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("three lines within %v", took)
	}
	off := *p.config
	off.OnBlock = nil
	q.Configure(&off, p.log) // so that the pending blocks need no slot
	release()
	lab.Eventually(p, "all is done", q.idle)
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
	release := p.holdSlots() // on_block waits for one much longer than Close
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

// If a process has hurried once and then stays, later blocks have a grace again.
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

// A configuration that is read again holds for pending blocks.
func TestQueueConfigure(t *testing.T) {
	p := inPlace(t, "")
	p.config.Block.Grace = never
	q := p.queue()
	s := p.serve("192.0.2.9")
	b := p.block("192.0.2.9/32", time.Hour)
	q.Add(b)
	lab.Eventually(p, "the grace runs", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return time.Until(q.pending[b.Network].due) > 0
	})
	p.configure("mode observe")
	q.Configure(p.config, p.log)
	lab.Eventually(p, "it is done", q.Hurry)
	if !s.leftAlone() {
		t.Error("the session was ended")
	}
	if p.config.Mode != policy.Observe {
		t.Error("nothing was configured")
	}
}
