package wrapper

import (
	"net/netip"
	"testing"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// activityOf is what the ledger says a network did of late.
func (d *doorway) activityOf(t *testing.T, network string) (a ledger.Activity) {
	t.Helper()
	a.Verdict = -2
	err := d.Ledger.Records(ledger.Now(), func(r *ledger.Record) {
		if r.Network == netip.MustParsePrefix(network) {
			a = r.Activity
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// The ledger knows of each network how often its clients came and were refused, also where they
// are refused without its lock. A refusal counts where its block is. Nothing else is remembered of
// a network that has no record.
func TestActivity(t *testing.T) {
	const conf = "greet_delay 290s stress=290s\nblock strikes=8 within=1h\n"
	const own, other, wide = "127.0.0.5/32", "127.0.0.6/32", "127.0.0.4/31"
	blocked := func(network string) func(*doorway) {
		return func(d *doorway) {
			err := d.Ledger.Run(func(tx *ledger.Tx) {
				tx.Block(netip.MustParsePrefix(network), time.Hour, "test", ledger.Penalty{})
			})
			if err != nil {
				panic(err)
			}
		}
	}
	activity := func(arrivals, refusals int, v decide.Verdict) ledger.Activity {
		return ledger.Activity{Arrivals: arrivals, Refusals: refusals, Verdict: int(v)}
	}
	nothing := ledger.Activity{Verdict: -2}
	for name, tt := range map[string]struct {
		conf    string
		begin   func(*doorway)
		network string
		does    decide.Greet
		want    ledger.Activity
	}{
		"spoke": {"", nil, own, decide.Spoke, activity(3, 3, decide.Pregreet)},
		"left": {"remember_hangups off", nil, own, decide.Left,
			activity(3, 0, decide.Hangup)},
		"passed":       {"remember 0", nil, own, decide.Quiet, activity(3, 0, decide.Pass)},
		"blocked":      {"", blocked(own), own, decide.Quiet, activity(3, 3, decide.Blocked)},
		"block around": {"", blocked(wide), wide, decide.Quiet, activity(3, 3, decide.Blocked)},
		"rate":         {"client_rate 1/1h", nil, own, decide.Left, activity(3, 2, decide.Rate)},
		"busy": {"max_sessions 1\nreserve 0%", serving("192.0.2.1"), own, decide.Quiet,
			nothing},
		"denied":     {"deny 127.0.0.5", nil, own, decide.Quiet, nothing},
		"of another": {"", nil, other, decide.Spoke, nothing},
	} {
		t.Run(name, func(t *testing.T) {
			got, period := ledger.Activity{}, time.Time{}
			now := func() time.Time { return time.Now().Truncate(ledger.HalfLife) }
			for period != now() { // at the end of one the counts are halved
				period = now()
				d := open(t, "", conf+tt.conf)
				d.from = "127.0.0.5"
				if tt.begin != nil {
					tt.begin(d)
				}
				for range 3 {
					s, _ := d.enter(t)
					if s.Arrive() {
						s.Conclude(tt.does, s.Delay())
					}
					s.End()
				}
				got = d.activityOf(t, tt.network)
			}
			if got != tt.want {
				t.Errorf("%+v; want %+v", got, tt.want)
			}
		})
	}
}
