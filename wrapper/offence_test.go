package wrapper

import (
	"net/netip"
	"testing"

	"sendwrap/wrapper/ledger"
)

// One client cannot have its neighbours blocked: with many connections that it made before its own
// block, it has no more strikes in a wide network than that took. Those of others add to them.
func TestStrikesOfOneClientInAWideNetwork(t *testing.T) {
	d := open(t, "", "block strikes=3\nwide 24 48 strikes=8\nwide 16 32 strikes=8\n")
	d.OpenLedger()
	defer d.Ledger.Close()
	strike := func(client string, times int) (b ledger.BlockedNetwork) {
		a := netip.MustParseAddr(client)
		o := d.OffenceOf(a, "pregreet:ehlo")
		for range times {
			if err := d.Ledger.Run(func(tx *ledger.Tx) {
				o.Strike(tx)
				b, _ = tx.BlockOf(a, o.Network)
			}); err != nil {
				t.Fatal(err)
			}
		}
		return b
	}
	for _, client := range []string{"198.51.100.1", "2001:db8:1:1::1"} {
		b := strike(client, 50)
		if a := netip.MustParseAddr(client); b.Network != d.Network(a) {
			t.Errorf("after 50 strikes of %s: %v is blocked", client, b.Network)
		}
	}
	wide := netip.MustParsePrefix("198.51.0.0/16")
	strike("198.51.100.2", 3)
	if b := strike("198.51.100.3", 1); b != (ledger.BlockedNetwork{}) {
		t.Errorf("%v is blocked after 7 strikes of three clients", b.Network)
	}
	if b := strike("198.51.100.3", 1); b.Network != wide {
		t.Errorf("%v is blocked after 8 strikes of three clients; want %v", b.Network, wide)
	}
}
