package decide

import (
	"net/netip"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/ledger"
)

// What check shows of wide networks: each count beside its limit, also beside a limit of 1, and
// nothing of what has none. Strikes and recipients of a network with an address of this machine do
// not count.
func TestWideText(t *testing.T) {
	var f Facts
	one := &f.Limits.Wide[0]
	one.Network, one.Conns, one.Rate, one.Per = netip.MustParsePrefix("192.0.2.0/24"), 1, 9,
		time.Minute
	f.Limits.Wide[1].Network = netip.MustParsePrefix("192.0.0.0/16")
	f.Limits.WideStrikes[0], f.Limits.WideRcpts[0] = 8, rule.Rate{N: 100, Per: time.Hour}
	f.WideCounts[0] = ledger.WideCount{Conns: 2, Arrivals: 3}
	s := Shown{Facts: &f}
	s.WideStrikes[0], s.WideRcpts[0] = 4, ledger.Rcpts{Bad: 5, Good: 6}
	const rcpts = "; unknown recipients of 192.0.2.0/24 in 1h: 5 of 100, accepted ones 6"
	for _, own := range []bool{false, true} {
		strikes, named := "; of 192.0.2.0/24 4 of 8", rcpts
		if s.WideOwn[0] = own; own {
			strikes = "; of 192.0.2.0/24 none counts: it holds an address of this machine"
			named = ""
		}
		for want, got := range map[string]string{
			"; of 192.0.2.0/24 2 of 1": wideConnsText(&s), strikes: wideStrikesText(&s),
			"; of 192.0.2.0/24 3 of 9 in 1m": wideRateText(&s), named: wideRcptsText(&s),
		} {
			if got != want {
				t.Errorf("own %v: %q; want %q", own, got, want)
			}
		}
	}
}
