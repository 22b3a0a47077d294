package wrapper

import (
	"net/netip"
	"testing"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// An early talker from an address of this machine is refused, but gets no strike: it must not lock
// out other local programs. A wide network that holds such an address gets none, either. A block
// by hand holds.
func TestOwnNetwork(t *testing.T) {
	for _, tt := range []struct {
		conf, from string
		struck     bool
	}{
		{"block strikes=2", "127.0.0.1", false},
		{"block strikes=2\ncount_by 24 64", stranger, false},
		{"block strikes=2\ncount_by 31 64", stranger, true},
	} {
		d := open(t, "", "greet_delay 290s stress=290s\n"+tt.conf)
		d.from = tt.from
		client := netip.MustParseAddr(tt.from)
		want := decide.Pregreet
		for range 3 {
			s, _, _ := d.meet(t, speak)
			if s.Verdict != want {
				t.Errorf("%q: %v; want %v", tt.conf, s.Verdict, want)
			}
			if _, left, _ := s.Block(); left > 0 {
				want = decide.Blocked
			}
			d.line(t)
		}
		var block bool
		_ = d.Ledger.Run(func(tx *ledger.Tx) { _, block = tx.BlockOf(client, d.Network(client)) })
		if block != tt.struck || block != (want == decide.Blocked) {
			t.Errorf("%q: blocked %v; struck %v", tt.conf, block, tt.struck)
		}
		_ = d.Ledger.Run(func(tx *ledger.Tx) {
			tx.Block(d.Network(client), time.Hour, "test",
				Penalty(d.Policy.Settings))
		})
		if s, _, _ := d.meet(t, nil); s.Verdict != decide.Blocked {
			t.Errorf("%q: %v in spite of a block by hand", tt.conf, s.Verdict)
		}
	}
}
