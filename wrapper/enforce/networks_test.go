package enforce

import (
	"net/netip"
	"testing"

	"sendwrap/wrapper/config"
)

func TestNetworks(t *testing.T) {
	var n Networks
	if n.Hold(netip.MustParseAddr("192.0.2.1")) {
		t.Error("an empty set holds an address")
	}
	for _, text := range []string{
		"192.0.2.9/32", "198.51.100.0/24", "10.0.0.0/8", "2001:db8::/64", "2001:db8:1::/48",
		"::/96",
	} {
		n.Add(netip.MustParsePrefix(text))
	}
	for text, want := range map[string]bool{
		"192.0.2.9": true, "192.0.2.8": false, "198.51.100.255": true, "198.51.101.0": false,
		"10.255.0.1": true, "11.0.0.0": false,
		"2001:db8::ffff": true, "2001:db8:0:1::": false, "2001:db8:1:ffff::": true,
		"2001:db8:2::": false, "::1.2.3.4": true, "1.2.3.4": false,
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
