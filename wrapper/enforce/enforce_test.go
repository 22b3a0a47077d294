package enforce

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// The sessions of a network end after the grace, and no other process gets a signal.
func TestSessionsEnd(t *testing.T) { afterGrace(t, sessionsEnd) }

func sessionsEnd(t *testing.T, grace time.Duration) bool {
	t.Helper()
	p := inPlace(t, "allow 192.0.2.77")
	p.config.Block.Grace = grace
	mine := []*session{p.serve("192.0.2.9"), p.serve("192.0.2.9"), p.serve("192.0.2.10")}
	waiting := p.wait("192.0.2.9")

	reused := p.process() // its pid was another's when that began to serve
	reused.enter("192.0.2.9", func(s *ledger.Process) { s.Start-- }, true)
	room := p.process()
	room.enter("192.0.2.9", func(s *ledger.Process) { s.Shared = true }, false)
	others := map[string]*session{
		"another client's":    p.serve("203.0.113.7"),
		"an IPv6 client's":    p.serve("2001:db8::c000:209"),
		"an allowed client's": p.serve("192.0.2.77"), "with a pid that was reused": reused,
		"a room's": room, "another client's that waits": p.wait("203.0.113.8"),
	}
	p.enter("192.0.2.9", ledger.Self(), true)
	p.enter("192.0.2.9", ledger.Process{PID: 1 << 21, Start: 42}, true) // long gone

	began := time.Now()
	o := p.enforcer().CarryOut(p.block("192.0.2.0/24", time.Hour))
	inTime := true
	for _, s := range mine {
		inTime = s.endsAfter(began, grace) && inTime
	}
	waiting.woken()
	for name, s := range others {
		if !s.leftAlone() {
			t.Errorf("%s session was ended", name)
		}
	}
	if o.Ended != 4 || o.Allowed != 1 || o.InRoom != 1 || len(o.Failed) != 0 ||
		o.Exemption != (Exemption{OnBlock: "on_block is off"}) {
		t.Errorf("outcome %+v", o)
	}
	const line = "END network=192.0.2.0/24 ended=4 allowed=1 reason=a_test"
	if got := p.said(); len(got) != 1 || got[0] != line {
		t.Errorf("log %q", got)
	}
	return inTime
}

// A client that waits in a process of its own is refused by that process, which is woken, whichever
// process has begun the block.
func TestWaiting(t *testing.T) {
	p := inPlace(t, "block grace=0s")
	queued, now := p.wait("2001:db8::9"), p.wait("192.0.2.9")
	p.queue().Add(p.block("2001:db8::/64", time.Hour))
	queued.woken()
	e := p.enforcer()
	changed := *p.config // the queue reads the other
	changed.Block.Kill, changed.Mode = false, policy.Observe
	e.Now, e.Config = true, &changed
	if o := e.CarryOut(p.block("192.0.2.9/32", time.Hour)); o.Ended != 1 || len(o.Failed) != 0 {
		t.Errorf("outcome %+v", o)
	}
	now.woken()
}

// An MTA cannot be woken: the ledger has it as a process that waits, because the change could not
// be written.
func TestNotToBeWoken(t *testing.T) {
	p := inPlace(t, "block grace=0s")
	s := p.process()
	s.enter("192.0.2.9", func(*ledger.Process) {}, false)
	if o := p.enforcer().CarryOut(p.block("192.0.2.9/32", time.Hour)); o.Ended != 1 {
		t.Errorf("outcome %+v", o)
	}
	s.ends()
}

// A client that passes while its process is woken has an MTA, which ends.
func TestWokenTooLate(t *testing.T) {
	p := inPlace(t, "block grace=0s")
	s := p.process()
	token := s.enter("192.0.2.9", func(*ledger.Process) {}, false)
	b := p.block("192.0.2.9/32", time.Hour)
	pending := &pendingBlock{Block: b}
	e := p.enforcer()
	e.step([]*pendingBlock{pending})
	p.do(func(t *ledger.Tx) { t.Serve(token) })
	if !pending.needsVisit() || !s.runs() {
		t.Errorf("needs a visit: %v, runs: %v", pending.needsVisit(), s.runs())
	}
	e.step([]*pendingBlock{pending})
	s.ends()
	if pending.needsVisit() || pending.outcome.Ended != 1 {
		t.Errorf("needs a visit: %v, %+v", pending.needsVisit(), pending.outcome)
	}
}

func TestSessionsEndV6(t *testing.T) {
	p := inPlace(t, "block grace=0s")
	s, other := p.serve("2001:db8:0:1::9"), p.serve("2001:db8:0:2::9")
	p.enforcer().CarryOut(p.block("2001:db8:0:1::/64", time.Hour))
	s.ends()
	if !other.leftAlone() {
		t.Error("the session of another network was ended")
	}
}

// Without a session to end there is no grace.
func TestNoSessions(t *testing.T) {
	p := inPlace(t, "allow 192.0.2.77")
	p.config.Block.Grace = never
	p.serve("203.0.113.7")
	p.serve("192.0.2.77")
	o := p.enforcer().CarryOut(p.block("192.0.2.0/24", time.Hour))
	if o.Ended != 0 || len(o.Failed) != 0 {
		t.Errorf("%+v", o)
	}
	if got := p.said(); len(got) != 0 {
		t.Errorf("log %q", got)
	}
}

// A block that is ended within the grace ends no session: of two that are carried out together the
// other does.
func TestUnblockedInGrace(t *testing.T) {
	for grace := 500 * time.Millisecond; ; grace *= 2 {
		p := inPlace(t, "")
		p.config.Block.Grace = grace
		unblocked, other := p.serve("192.0.2.9"), p.serve("192.0.2.200")
		p.block("192.0.2.0/25", time.Hour)
		p.block("192.0.2.128/25", time.Hour)
		both := Block{
			Network: netip.MustParsePrefix("192.0.2.0/24"), For: time.Hour, Reason: "a test"}
		done := make(chan Outcome)
		began := time.Now()
		go func() { done <- p.enforcer().CarryOut(both) }()
		time.Sleep(grace / 4) // it may have had its first look
		p.unblock("192.0.2.0/25")
		inTime := time.Since(began) < grace
		o := <-done
		if !inTime {
			t.Logf("a grace of %v is over before the block is ended", grace)
			continue
		}
		other.ends()
		if o.Ended != 1 || !unblocked.leftAlone() {
			t.Errorf("outcome %+v", o)
		}
		return
	}
}

// The configuration can exempt sessions.
func TestSessionsExempt(t *testing.T) {
	const allowed = "192.0.2.0/24 is allowed at CONF:4"
	for _, tt := range []struct {
		conf, network, want string
		now                 bool
		ended               int
	}{
		{"block grace=0s", "192.0.2.9/32", "", false, 1},
		{"block grace=0s kill=off", "192.0.2.9/32", "block has kill=off", false, 0},
		{"block grace=60s kill=off", "192.0.2.9/32", "", true, 1},
		{"block grace=0s\nmode observe", "192.0.2.9/32", "mode observe enforces nothing", false, 0},
		{"block grace=0s\nmode observe", "192.0.2.9/32", "", true, 1},
		{"block grace=0s\nallow 192.0.2.0/24", "192.0.2.9/32", allowed, false, 0},
		{"block grace=0s\nallow 192.0.2.0/24", "192.0.2.9/32", allowed, true, 0},
		{"block grace=0s\nallow 192.0.2.0/24\ndeny 192.0.2.8/29", "192.0.2.9/32", "", false, 1},
	} {
		p := inPlace(t, tt.conf)
		s := p.serve("192.0.2.9")
		e := p.enforcer()
		e.Now = tt.now
		o := e.CarryOut(p.block(tt.network, time.Hour))
		want := strings.ReplaceAll(tt.want, "CONF", p.file("conf"))
		if o.Sessions != want || o.Ended != tt.ended {
			t.Errorf("%q, now %v: %d ended, exempt because %q; want %d, %q",
				tt.conf, tt.now, o.Ended, o.Sessions, tt.ended, want)
		}
		if tt.ended > 0 {
			s.ends()
		} else if !s.leftAlone() {
			t.Errorf("%q, now %v: the session was ended", tt.conf, tt.now)
		}
	}
}

// A session ends even if a room is about to give it to an MTA when the grace is over. The room does
// so between two of at most five visits to the sessions; if it was too early or too late, the test
// tries again.
func TestSessionOnItsWay(t *testing.T) {
	for _, queued := range []bool{false, true} {
		for try := 1; !sessionOnItsWay(t, queued); try++ {
			t.Logf("queued %v, try %d: not given away between two visits", queued, try)
			if try == 20 {
				t.Fatal("never given away between two visits")
			}
		}
	}
}

// sessionOnItsWay tries that once, and reports whether it hit the moment.
func sessionOnItsWay(t *testing.T, queued bool) bool {
	t.Helper()
	p := inPlace(t, "block grace=0s")
	mta := p.process()
	process, err := ledger.Identify(mta.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	room := ledger.Self()
	room.Shared = true
	token := p.enter("192.0.2.9", room, true)
	q := newQueue(*p.enforcer()) // as CarryOut has it
	if queued {
		q = p.queue()
	}
	defer q.Close()
	pending := q.add(p.block("192.0.2.9/32", time.Hour))
	time.Sleep(visitAgain / 2)
	p.do(func(tx *ledger.Tx) {
		if _, found := tx.Transfer(token, process); !found {
			t.Error("the session is gone")
		}
	})
	<-pending.done
	if pending.visits == 1 || pending.visits == maxVisits {
		return false
	}
	mta.ends()
	return true
}

// A process that knows one client's networks needs all of them only if there is work. The look for
// it changes nothing.
func TestLookForWork(t *testing.T) {
	for _, tt := range []struct {
		name, conf string
		sessions   func(p *place)
		want       bool
	}{
		{"no session", "", func(p *place) { p.serve("203.0.113.7") }, false},
		{"a session", "", func(p *place) { p.serve("192.0.2.9") }, true},
		{"in a room, which finds out itself", "", func(p *place) {
			p.enter("192.0.2.9", ledger.Process{PID: 1, Start: 1, Shared: true}, false)
		}, false},
		{"on the way from a room to an MTA", "", func(p *place) {
			p.enter("192.0.2.9", ledger.Process{PID: 1, Start: 1, Shared: true}, true)
		}, true},
		{"a session that goes on", "block kill=off",
			func(p *place) { p.serve("192.0.2.9") }, false},
		{"a session, but nothing is enforced", "mode observe\non_block /bin/true",
			func(p *place) { p.serve("192.0.2.9") }, false},
		{"on_block is to run", "block kill=off\non_block /bin/true", func(*place) {}, true},
	} {
		p := inPlace(t, tt.conf)
		tt.sessions(p)
		b := p.block("192.0.2.0/24", time.Hour)
		if got := p.enforcer().LookForWork(b); got != tt.want {
			t.Errorf("%s: %v; want %v", tt.name, got, tt.want)
		}
	}
	p := inPlace(t, "block max_entries=1")
	p.block("192.0.2.1/32", time.Hour)
	time.Sleep(5 * time.Millisecond)
	p.enforcer().LookForWork(p.block("192.0.2.2/32", time.Hour))
	if said := p.said(); len(said) > 0 {
		t.Errorf("the look is in the log: %q", said)
	}
}

// The oldest blocks end when there are too many, and the log says so.
func TestDropOldest(t *testing.T) {
	p := inPlace(t, "block max_entries=2 grace=0s")
	for _, n := range []string{"192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"} {
		p.block(n, time.Hour)
		time.Sleep(5 * time.Millisecond)
	}
	o := p.enforcer().CarryOut(p.block("192.0.2.4/32", time.Hour))
	if len(o.Dropped) != 2 || o.Dropped[0].Network != netip.MustParsePrefix("192.0.2.1/32") {
		t.Errorf("dropped %v", o.Dropped)
	}
	if p.logged("DROP blocks=2 max_entries=2") != 1 {
		t.Errorf("log %q", p.said())
	}
	blocks, err := p.open().Blocks(ledger.Now())
	if err != nil || len(blocks) != 2 {
		t.Errorf("%v, %v", blocks, err)
	}
}
