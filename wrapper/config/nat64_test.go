package config

import (
	"fmt"
	"net/netip"
	"testing"
)

// TestNAT64: the addresses of RFC 6052 §2.4 that contain 192.0.2.33, and the network under which
// each is counted. For the next IPv4 addresses count_by applies as for IPv4.
func TestNAT64(t *testing.T) {
	for _, tt := range []struct{ prefix, client, one, wide, near, far string }{
		{"2001:db8::/32", "2001:db8:c000:221::", "2001:db8:c000:221::/64", "2001:db8:c000:200::/56",
			"2001:db8:c000:222::", "2001:db8:c000:321::"},
		{"2001:db8:100::/40", "2001:db8:1c0:2:21::", "2001:db8:1c0:2:21::/80",
			"2001:db8:1c0:2::/64",
			"2001:db8:1c0:2:22::", "2001:db8:1c0:3:21::"},
		{"2001:db8:122::/48", "2001:db8:122:c000:2:2100::", "2001:db8:122:c000:2:2100::/88",
			"2001:db8:122:c000:2::/80",
			"2001:db8:122:c000:2:2200::", "2001:db8:122:c000:3:2100::"},
		{"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::", "2001:db8:122:3c0:0:221::/96",
			"2001:db8:122:3c0:0:200::/88",
			"2001:db8:122:3c0:0:222::", "2001:db8:122:3c0:0:321::"},
		{"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::",
			"2001:db8:122:344:c0:2:2100:0/104",
			"2001:db8:122:344:c0:2::/96", "2001:db8:122:344:c0:2:2200::",
			"2001:db8:122:344:c0:3:2100::"},
		{"2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33", "2001:db8:122:344::c000:221/128",
			"2001:db8:122:344::c000:200/120", "2001:db8:122:344::192.0.2.34",
			"2001:db8:122:344::192.0.3.33"},
		{"", "64:ff9b::192.0.2.33", "64:ff9b::c000:221/128", "64:ff9b::c000:200/120",
			"64:ff9b::192.0.2.34", "64:ff9b::192.0.3.33"},
	} {
		text := "nat64 " + tt.prefix
		if tt.prefix == "" {
			text = ""
		}
		for width, want := range map[string]string{"32": tt.one, "24": tt.wide} {
			c, errs := load(t, text+"\ncount_by "+width+" 64")
			network := func(client string) string { return c.Network(mustAddr(client)).String() }
			if got := network(tt.client); errs != nil || got != want {
				t.Errorf("%q, count_by %s: %s is counted as %s; want %s %s", text, width, tt.client,
					got, want, errs)
			}
			if same := network(tt.near) == want; same != (width == "24") {
				t.Errorf("%q, count_by %s: is %s the same? %v", text, width, tt.near, same)
			}
			if network(tt.far) == want {
				t.Errorf("%q, count_by %s: %s is the same", text, width, tt.far)
			}
		}
	}
	// Other addresses are not affected. The zone of a link-local address does not matter.
	c, _ := load(t, "nat64 2001:db8:64::/96")
	for client, want := range map[string]string{
		"192.0.2.33": "192.0.2.33/32", "2001:db8:64:1::1": "2001:db8:64:1::/64",
		"2001:db8:64::1:0:0": "2001:db8:64::/64",
		"64:ff9b:1::1":       "64:ff9b:1::/64", "fe80::1%eth0": "fe80::/64",
		"fe80::2%eth1": "fe80::/64",
		"::1":          "::/64",
	} {
		if got := c.Network(mustAddr(client)).String(); got != want {
			t.Errorf("%s is counted as %s; want %s", client, got, want)
		}
	}
	many := "nat64"
	for i := range maxNAT64 - 1 {
		many += fmt.Sprintf(" 2001:db8:%x::/48", i)
	}
	if c, errs := load(t, many); errs != nil || len(c.NAT64) != maxNAT64 ||
		c.NAT64[0] != netip.MustParsePrefix("64:ff9b::/96") {
		t.Errorf("%d prefixes: %s", maxNAT64, errs)
	}
	if c, errs := load(t, many+" 2001:db8:ff::/48"); len(errs) != 1 || len(c.NAT64) != maxNAT64 {
		t.Errorf("one more: %s", errs)
	}
}

// TestWideAround: a client's neighbors are those in its /24 or /48, or count_by if that is wider.
// An IPv6 address can contain an IPv4 address.
func TestWideAround(t *testing.T) {
	for _, tt := range []struct{ conf, client, want string }{
		{"", "192.0.2.33", "192.0.2.0/24"},
		{"", "2001:db8:1:2::3", "2001:db8:1::/48"},
		{"", "64:ff9b::192.0.2.33", "64:ff9b::c000:200/120"},
		{"nat64 2001:db8:100::/40", "2001:db8:1c0:2:21::", "2001:db8:1c0:2::/64"},
		{"count_by 28 56", "192.0.2.33", "192.0.2.0/24"},
		{"count_by 20 40", "192.0.33.2", "192.0.32.0/20"},
		{"count_by 20 40", "2001:db8:101::", "2001:db8:100::/40"},
	} {
		c, errs := load(t, tt.conf)
		if got := c.WideAround(mustAddr(tt.client)).String(); errs != nil || got != tt.want {
			t.Errorf("%q: %s is in %s; want %s; %s", tt.conf, tt.client, got, tt.want, errs)
		}
	}
}
