package admin

import (
	"net/netip"
	"strings"
	"testing"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// status says which verdicts were observed, and how many of these sent mail; and that nobody looks
// for that if no guard runs, and something is observed. Where nothing was, it says nothing.
func TestStatusObserved(t *testing.T) {
	const rows = "\nobserved  would be refused  then sent mail\n  RATE    2                 1\n"
	const noGuard = "  no guard runs: nothing sees which clients send mail\n"
	for _, tt := range []struct {
		conf     string
		observed int
		guard    bool
		want     string
	}{
		{"client_rate 1/1h observe", 2, false, rows + noGuard},
		{"mode observe", 2, false, rows + noGuard},
		{"client_rate 1/1h observe", 2, true, rows},
		{"client_rate 1/1h", 2, false, rows}, // it was observed
		{"client_rate 1/1h observe", 0, false, ""},
	} {
		p := inPlace(t, tt.conf)
		p.inLedger(func(l *ledger.Ledger) {
			if tt.guard {
				l.RegisterGuard(ledger.Self())
			}
		})
		p.do(func(tx *ledger.Tx) {
			network := netip.MustParsePrefix("192.0.2.1/32")
			tx.Remember(network, 0)
			for n := range tt.observed {
				tx.CountFor(network, ledger.Event{Verdict: int(decide.Rate), Observed: true})
				if n == 0 {
					tx.Delivers(network)
				}
			}
		})
		text, _ := p.says(0, "status")
		if strings.Contains(text, "\nobserved ") != (tt.want != "") ||
			!strings.Contains(text, tt.want) ||
			strings.Contains(text, noGuard) != strings.HasSuffix(tt.want, noGuard) {
			t.Errorf("%+v:\n%s", tt, text)
		}
	}
}
