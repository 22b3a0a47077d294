package wrapper

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// What happens to the network while the client waits counts when it has waited.
func TestMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		name     string
		happened func(*doorway)
		want     decide.Verdict
	}{
		{"blocked", blockLoopback("127.0.0.1/32"), decide.Blocked},
		{"crowded", serving("127.0.0.9"), decide.Busy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			d := open(t, dir, "greet_delay 50ms stress=50ms\nmax_sessions 1")
			other := open(t, dir, "max_sessions 1")
			s, _ := d.enter(t)
			if !s.Arrive() {
				t.Fatalf("%v at once", s.Verdict)
			}
			tt.happened(other)
			s.Conclude(s.wait())
			if s.Verdict != tt.want || s.Served() {
				t.Errorf("%v, served %v", s.Verdict, s.Served())
			}
			if tot := d.totals(t); tot.Waiting != 0 {
				t.Errorf("%d still waiting", tot.Waiting)
			}
			// It did wait: if that was in vain for no fault of its own, it need not wait again.
			var f decide.Facts
			d.facts(&f, s.Client.Addr(), d.room)
			_ = d.Ledger.Run(func(tx *ledger.Tx) {
				f.Standing = tx.Look(d.arrival(s.Client,
					&f.Limits))
			})
			if f.Known != (tt.want == decide.Busy) {
				t.Errorf("known: %v", f.Known)
			}
		})
	}
}

// If the rules change while a client waits in a room, the new ones decide, whatever the client does
// (unless it leaves), and whatever block has begun.
func TestRulesMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		rule string
		want decide.Verdict
	}{{"allow", decide.Allowed}, {"deny", decide.Denied}} {
		for g, want := range map[decide.Greet]decide.Verdict{decide.Quiet: tt.want,
			decide.Spoke: tt.want, decide.Left: decide.Hangup} {
			d := open(t, "", "max_sessions 1")
			s, client := d.enter(t)
			if !s.Arrive() {
				t.Fatalf("%v at once", s.Verdict)
			}
			switch g {
			case decide.Spoke:
				speak(client)
				arrived(t, s.FD)
			case decide.Left:
				leave(client)
				arrived(t, s.FD)
			}
			d.Policy = open(t, "", "max_sessions 1\n"+tt.rule+" 127.0.0.1").Policy
			serving("127.0.0.9")(d)
			blockLoopback("127.0.0.1/32")(d)
			s.Conclude(g, time.Second)
			if s.Verdict != want || s.Served() != want.Served() {
				t.Errorf("%s, %v: %v, served %v; want %v", tt.rule, g, s.Verdict, s.Served(), want)
			}
			if tot := d.totals(t); tot.Waiting != 0 || tot.Verdicts[want] != 1 ||
				tot.Verdicts[decide.Pregreet] != 0 {
				t.Errorf("%s, %v: %+v", tt.rule, g, tot)
			}
		}
	}
}

// A client whose room reads another count_by while it waits stays counted under the network of its
// arrival, in the next program too: its strike, its place among the known and its block are there.
func TestCountByMeanwhile(t *testing.T) {
	for _, saved := range []bool{false, true} {
		arrive := func() (d *doorway, s *Session) {
			t.Helper()
			d = open(t, "", "greet_delay 290s\nblock strikes=2\ncount_by 24 64")
			d.from = "127.0.1.1"
			s, _ = d.enter(t)
			if !s.Arrive() {
				t.Fatalf("%v at once", s.Verdict)
			}
			ledger := d.Policy.Ledger
			d.Policy = open(t, "", "block strikes=2\ncount_by 32 64").Policy
			d.Policy.Ledger = ledger
			if saved {
				s = d.Restore(s.FD, s.Save())
			}
			return d, s
		}
		const wide, narrow = "127.0.1.0/24", "127.0.1.1/32"
		for end, behave := range map[string]func(*doorway, *Session){
			"strike":         func(d *doorway, s *Session) { s.Conclude(decide.Spoke, 0) },
			"known":          func(d *doorway, s *Session) { s.Conclude(decide.Quiet, s.Delay()) },
			"expires, known": func(d *doorway, s *Session) { s.Expire(s.Delay(), time.Minute) },
			"blocked": func(d *doorway, s *Session) {
				blockLoopback(wide)(d)
				if !s.RefuseIfBlocked(time.Second, 0) {
					t.Error("it does not see the block of its network")
				}
			},
		} {
			d, s := arrive()
			if behave(d, s); s.waited > 290*time.Second {
				t.Fatal(s.waited)
			}
			s.End()
			now := func(network string) (st ledger.Standing) {
				a := ledger.Arrival{Client: s.Client, Network: netip.MustParsePrefix(network)}
				_ = d.Ledger.Run(func(tx *ledger.Tx) { st = tx.Look(a) })
				return st
			}
			in, out := now(wide), now(narrow)
			if in.Conns != 0 || in.Waiting+in.Serving != 0 {
				t.Errorf("%s: it is still counted: %+v", end, in)
			}
			if network, _, _ := s.Block(); network.String() != wide {
				t.Errorf("%s: it is counted as %v", end, network)
			}
			if in.Known != strings.HasSuffix(end, "known") || out.Known ||
				in.Strikes != map[string]int{"strike": 1}[end] || out.Strikes != 0 ||
				in.Blocked != (end == "blocked") {
				t.Errorf("%s: %v has %+v\n%v has %+v", end, wide, in, narrow, out)
			}
		}
	}
}

// If the ledger is lost within a step, the session keeps nothing of what the step has noted.
func TestUpdateIsUndone(t *testing.T) {
	d := open(t, "", "")
	s, _ := d.enter(t)
	if !s.Arrive() {
		t.Fatalf("%v at once", s.Verdict)
	}
	verdict, token := s.Verdict, s.token
	err := s.update(func(tx *ledger.Tx) {
		s.Verdict = decide.Pregreet
		s.finish(tx, false)
		s.strike(tx)
		if err := os.Truncate(d.Policy.Ledger.Path, 0); err != nil {
			t.Error(err)
		}
		tx.Count(int(decide.Pregreet))
	})
	if err != ledger.ErrLost {
		t.Fatalf("%v; the test proves nothing", err)
	}
	if s.Verdict != verdict || s.token != token || s.struck != nil || !s.entered {
		t.Errorf("%v, %v, %+v, entered %v; want %v, %v and no strike", s.Verdict, s.token,
			s.struck, s.entered, verdict, token)
	}
}
