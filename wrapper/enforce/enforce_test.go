package enforce

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

// The sessions of a network end after the grace, and no other process has a signal from us.
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
		"a stranger's": p.serve("203.0.113.7"), "an IPv6 client's": p.serve("2001:db8::c000:209"),
		"an allowed client's": p.serve("192.0.2.77"), "with a pid that was handed on": reused, "a room's": room,
		"a stranger's that waits": p.wait("203.0.113.8"),
	}
	p.enter("192.0.2.9", ledger.Self(), true)
	p.enter("192.0.2.9", ledger.Process{PID: 1 << 21, Start: 42}, true) // long gone

	began := time.Now()
	d := p.enforcer().CarryOut(p.block("192.0.2.0/24", time.Hour))
	inTime := true
	for _, s := range mine {
		inTime = s.endsAfter(began, grace) && inTime
	}
	waiting.woken()
	for name, s := range others {
		if !s.spared() {
			t.Errorf("%s session was ended", name)
		}
	}
	if d.Ended != 4 || d.Allowed != 1 || d.InRoom != 1 || len(d.Failed) != 0 || d.Spared != (Spared{OnBlock: "on_block is off"}) {
		t.Errorf("deeds %+v", d)
	}
	if got := p.said(); len(got) != 1 || got[0] != "END network=192.0.2.0/24 ended=4 allowed=1 reason=a_test" {
		t.Errorf("log %q", got)
	}
	return inTime
}

// A client that waits in a process of its own is that process's to refuse, whoever has begun the
// block.
func TestWaiting(t *testing.T) {
	p := inPlace(t, "block grace=0s")
	queued, now := p.wait("2001:db8::9"), p.wait("192.0.2.9")
	p.queue().Add(p.block("2001:db8::/64", time.Hour))
	queued.woken()
	e := p.enforcer()
	changed := *p.config // the queue reads the other
	changed.Block.Kill, changed.Mode = false, config.Observe
	e.Now, e.Config = true, &changed
	if d := e.CarryOut(p.block("192.0.2.9/32", time.Hour)); d.Ended != 1 || len(d.Failed) != 0 {
		t.Errorf("deeds %+v", d)
	}
	now.woken()
}

// An MTA that stands in the ledger as one that waits, as the ledger could not be told of it, cannot
// be woken.
func TestNotToBeWoken(t *testing.T) {
	p := inPlace(t, "block grace=0s")
	s := p.process()
	s.enter("192.0.2.9", func(*ledger.Process) {}, false)
	if d := p.enforcer().CarryOut(p.block("192.0.2.9/32", time.Hour)); d.Ended != 1 {
		t.Errorf("deeds %+v", d)
	}
	s.ends()
}

// A client that has passed while its process was woken is its MTA's.
func TestWokenTooLate(t *testing.T) {
	p := inPlace(t, "block grace=0s")
	s := p.process()
	token := s.enter("192.0.2.9", func(*ledger.Process) {}, false)
	b := p.block("192.0.2.9/32", time.Hour)
	o := &order{Block: b}
	e := p.enforcer()
	e.visit(p.open(), []*order{o}, end)
	p.do(func(t *ledger.Tx) { t.Serve(token) })
	if !o.again() || !s.runs() {
		t.Errorf("again: %v, runs: %v", o.again(), s.runs())
	}
	e.visit(p.open(), []*order{o}, end)
	s.ends()
	if o.again() || o.deeds.Ended != 1 {
		t.Errorf("again: %v, %+v", o.again(), o.deeds)
	}
}

func TestSessionsEndV6(t *testing.T) {
	p := inPlace(t, "block grace=0s")
	s, other := p.serve("2001:db8:0:1::9"), p.serve("2001:db8:0:2::9")
	p.enforcer().CarryOut(p.block("2001:db8:0:1::/64", time.Hour))
	s.ends()
	if !other.spared() {
		t.Error("a neighbour's session was ended")
	}
}

// With nobody to be ended nobody is waited for.
func TestNobodyThere(t *testing.T) {
	p := inPlace(t, "allow 192.0.2.77")
	p.config.Block.Grace = never
	p.serve("203.0.113.7")
	p.serve("192.0.2.77")
	d := p.enforcer().CarryOut(p.block("192.0.2.0/24", time.Hour))
	if d.Ended != 0 || len(d.Failed) != 0 {
		t.Errorf("%+v", d)
	}
	if got := p.said(); len(got) != 0 {
		t.Errorf("log %q", got)
	}
}

// A block that is lifted within the grace ends nobody's session: of two that are carried out
// together the other does.
func TestLifted(t *testing.T) {
	for grace := 500 * time.Millisecond; ; grace *= 2 {
		p := inPlace(t, "")
		p.config.Block.Grace = grace
		lifted, other := p.serve("192.0.2.9"), p.serve("192.0.2.200")
		p.block("192.0.2.0/25", time.Hour)
		p.block("192.0.2.128/25", time.Hour)
		both := Block{netip.MustParsePrefix("192.0.2.0/24"), time.Hour, "a test"}
		done := make(chan Deeds)
		began := time.Now()
		go func() { done <- p.enforcer().CarryOut(both) }()
		time.Sleep(grace / 4) // it may have had its first look
		p.unblock("192.0.2.0/25")
		inTime := time.Since(began) < grace
		d := <-done
		if !inTime {
			t.Logf("a grace of %v is over before the block is lifted", grace)
			continue
		}
		other.ends()
		if d.Ended != 1 || !lifted.spared() {
			t.Errorf("deeds %+v", d)
		}
		return
	}
}

// What the configuration can say against it.
func TestSessionsSpared(t *testing.T) {
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
		{"block grace=0s\nallow 192.0.2.0/24", "192.0.2.9/32", "192.0.2.0/24 is allowed at CONF:4", false, 0},
		{"block grace=0s\nallow 192.0.2.0/24", "192.0.2.9/32", "192.0.2.0/24 is allowed at CONF:4", true, 0},
		{"block grace=0s\nallow 192.0.2.0/24\ndeny 192.0.2.8/29", "192.0.2.9/32", "", false, 1},
	} {
		p := inPlace(t, tt.conf)
		s := p.serve("192.0.2.9")
		e := p.enforcer()
		e.Now = tt.now
		d := e.CarryOut(p.block(tt.network, time.Hour))
		if want := strings.ReplaceAll(tt.want, "CONF", p.file("conf")); d.Sessions != want || d.Ended != tt.ended {
			t.Errorf("%q, now %v: %d ended, spared since %q; want %d, %q", tt.conf, tt.now, d.Ended, d.Sessions, tt.ended, want)
		}
		if tt.ended > 0 {
			s.ends()
		} else if !s.spared() {
			t.Errorf("%q, now %v: the session was ended", tt.conf, tt.now)
		}
	}
}

// A session that a room is about to hand to its MTA when the time has come ends nevertheless. The
// room does that between two looks at the sessions, of which there are five at most: where it came
// too early or too late, once more.
func TestSessionOnItsWay(t *testing.T) {
	for _, queued := range []bool{false, true} {
		for try := 1; !sessionOnItsWay(t, queued); try++ {
			t.Logf("queued %v, try %d: not handed over between two looks", queued, try)
			if try == 20 {
				t.Fatal("never handed over between two looks")
			}
		}
	}
}

// sessionOnItsWay tries that once, and reports whether the moment was hit.
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
	b := p.block("192.0.2.9/32", time.Hour)
	o, q, done := &order{Block: b}, p.queue(), make(chan struct{})
	if queued {
		q.Add(b)
		q.mu.Lock()
		o = q.pending[b.Network]
		q.mu.Unlock()
		close(done)
	} else {
		l, e := p.open(), p.enforcer()
		go func() { defer close(done); e.endSessions(l, o) }()
	}
	time.Sleep(visitAgain / 2)
	p.do(func(tx *ledger.Tx) {
		if _, there := tx.Transfer(token, process); !there {
			t.Error("the session is gone")
		}
	})
	<-done
	lab.Eventually(p, "it is done", q.idle)
	if o == nil || o.visits == 1 || o.visits == maxVisits {
		return false
	}
	mta.ends()
	return true
}

// When a process that knows one client's networks needs all of them. The question changes nothing.
func TestNeedsNetworks(t *testing.T) {
	for _, tt := range []struct {
		name, conf string
		there      func(p *place)
		want       bool
	}{
		{"nobody is there", "", func(p *place) { p.serve("203.0.113.7") }, false},
		{"somebody is", "", func(p *place) { p.serve("192.0.2.9") }, true},
		{"in a room, which finds out itself", "", func(p *place) {
			p.enter("192.0.2.9", ledger.Process{PID: 1, Start: 1, Shared: true}, false)
		}, false},
		{"on the way from a room to an MTA", "", func(p *place) {
			p.enter("192.0.2.9", ledger.Process{PID: 1, Start: 1, Shared: true}, true)
		}, true},
		{"somebody is, but sessions go on", "block kill=off", func(p *place) { p.serve("192.0.2.9") }, false},
		{"somebody is, but nothing is enforced", "mode observe\non_block /bin/true", func(p *place) { p.serve("192.0.2.9") }, false},
		{"on_block is to be told", "block kill=off\non_block /bin/true", func(*place) {}, true},
	} {
		p := inPlace(t, tt.conf)
		tt.there(p)
		b := p.block("192.0.2.0/24", time.Hour)
		if got := p.enforcer().NeedsNetworks(b); got != tt.want {
			t.Errorf("%s: %v; want %v", tt.name, got, tt.want)
		}
	}
	p := inPlace(t, "block max_entries=1")
	p.block("192.0.2.1/32", time.Hour)
	time.Sleep(5 * time.Millisecond)
	p.enforcer().NeedsNetworks(p.block("192.0.2.2/32", time.Hour))
	if said := p.said(); len(said) > 0 {
		t.Errorf("the question is in the log: %q", said)
	}
}

// The oldest blocks go when there are too many, and the log says so.
func TestOldestGo(t *testing.T) {
	p := inPlace(t, "block max_entries=2 grace=0s")
	for _, n := range []string{"192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"} {
		p.block(n, time.Hour)
		time.Sleep(5 * time.Millisecond)
	}
	d := p.enforcer().CarryOut(p.block("192.0.2.4/32", time.Hour))
	if len(d.Dropped) != 2 || d.Dropped[0].Network != netip.MustParsePrefix("192.0.2.1/32") {
		t.Errorf("dropped %v", d.Dropped)
	}
	if p.logged("DROP blocks=2 max_entries=2") != 1 {
		t.Errorf("log %q", p.said())
	}
	blocks, err := p.open().Blocks(ledger.Now())
	if err != nil || len(blocks) != 2 {
		t.Errorf("%v, %v", blocks, err)
	}
}

func TestWord(t *testing.T) {
	for reason, want := range map[string]string{
		"pregreet": "pregreet", "bad recipients": "bad_recipients", "a\nb\x00\xff\"": "a_b__\"", "": "",
		strings.Repeat("x", 40): strings.Repeat("x", 32),
	} {
		if got := Word(reason); got != want {
			t.Errorf("%q: %q; want %q", reason, got, want)
		}
	}
}

func TestNetworks(t *testing.T) {
	var n Networks
	if n.Hold(netip.MustParseAddr("192.0.2.1")) {
		t.Error("none of them holds an address")
	}
	for _, text := range []string{"192.0.2.9/32", "198.51.100.0/24", "10.0.0.0/8", "2001:db8::/64", "2001:db8:1::/48", "::/96"} {
		n.Add(netip.MustParsePrefix(text))
	}
	for text, want := range map[string]bool{
		"192.0.2.9": true, "192.0.2.8": false, "198.51.100.255": true, "198.51.101.0": false, "10.255.0.1": true, "11.0.0.0": false,
		"2001:db8::ffff": true, "2001:db8:0:1::": false, "2001:db8:1:ffff::": true, "2001:db8:2::": false, "::1.2.3.4": true, "1.2.3.4": false,
	} {
		if got := n.Hold(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v; want %v", text, got, want)
		}
	}
}

func BenchmarkNetworks(b *testing.B) {
	var n Networks
	for i := range 1000 {
		n.Add(config.Default().Network(netip.AddrFrom4([4]byte{10, 0, byte(i / 256), byte(i)})))
	}
	addr := netip.MustParseAddr("192.0.2.9")
	for b.Loop() {
		n.Hold(addr)
	}
}
