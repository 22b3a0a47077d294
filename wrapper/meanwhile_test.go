package wrapper

import (
	"testing"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// What happens to the client's network while it waits is seen when it has waited.
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
			// It did wait: where that was in vain for no fault of its own, it need not again.
			var f decide.Facts
			d.facts(&f, s.Client.Addr())
			_ = d.inLedger(func(tx *ledger.Tx) { f.Standing = tx.Look(d.arrival(s.Client, &f.Limits)) })
			if f.Known != (tt.want == decide.Busy) {
				t.Errorf("known: %v", f.Known)
			}
		})
	}
}

// A room whose rules have changed while a client waits decides by the new ones, whatever the client
// does but leave, and whatever has begun.
func TestRulesMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		rule string
		want decide.Verdict
	}{{"allow", decide.Allowed}, {"deny", decide.Denied}} {
		for g, want := range map[decide.Greet]decide.Verdict{decide.Quiet: tt.want, decide.Spoke: tt.want, decide.Left: decide.Hangup} {
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
			d.Config = open(t, "", "max_sessions 1\n"+tt.rule+" 127.0.0.1").Config
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
