package dnsbl

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseSite(t *testing.T) {
	for _, tt := range []struct {
		text, zone string
		site       Site
		spelled    string // if not as text
	}{
		{"zen.spamhaus.org", "zen.spamhaus.org", Site{"", 1}, ""},
		{"zen.spamhaus.org*3", "zen.spamhaus.org", Site{"", 3}, ""},
		{"bl.example=127.0.0.10*3", "bl.example", Site{"127.0.0.10", 3}, ""},
		{"list.dnswl.org=127.0.[0..255].[1..3]*-2", "list.dnswl.org",
			Site{"127.0.[0..255].[1..3]", -2}, ""},
		{"ZEN.Spamhaus.ORG.*+2", "zen.spamhaus.org", Site{"", 2}, "zen.spamhaus.org*2"},
		{"bl*0", "bl", Site{"", 0}, ""},
		{"bl*1000", "bl", Site{"", 1000}, ""},
		{"bl_1.a-b.x2*-1000", "bl_1.a-b.x2", Site{"", -1000}, ""},
		{"2.bl.example*1", "2.bl.example", Site{"", 1}, "2.bl.example"},
	} {
		zone, site, err := ParseSite(tt.text)
		if err != nil || zone != tt.zone || site != tt.site {
			t.Errorf("%s: %q %+v %v", tt.text, zone, site, err)
		}
		want := tt.text
		if tt.spelled != "" {
			want = tt.spelled
		}
		if got := site.String(zone); got != want {
			t.Errorf("%s: is spelled %s; want %s", tt.text, got, want)
		}
	}
}

func TestParseSiteWrong(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "the zone is missing; write its name"},
		{"*2", "the zone is missing"},
		{".", "the zone is missing"},
		{"bl*", `bad weight ""; write a whole number from -1000 to 1000, like *2 or *-2`},
		{"bl*x", `bad weight "x"`},
		{"bl*2*3", `bad weight "2*3"`},
		{"bl*2x", `bad weight "2x"`},
		{"bl*1.5", `bad weight "1.5"`},
		{"bl*1001", `bad weight "1001"`},
		{"bl*-1001", `bad weight "-1001"`},
		{"bl*99999999999999999999", "bad weight"},
		{"bl*2=127.0.0.2", `bad weight "2=127.0.0.2"`},
		{"bl=", "the filter is empty"},
		{"bl=*2", "the filter is empty"},
		{"bl=127.0.0.2=127.0.0.3", `"=127.0.0.3" after "127.0.0.2"; write nothing`},
		{"bl=127.0.0", "it ends after"},
		{"a..b", "nothing between two dots"},
		{".a", "or before the first"},
		{"a.b..", "nothing between two dots"},
		{strings.Repeat("a", 64) + ".example",
			"the zone has 64 bytes without a dot; write at most 63"},
		{strings.Repeat("a.", 94) + "aa", "the zone has 190 bytes; write at most 189"},
		{"-a.example", "hyphen"},
		{"a-.example", "hyphen"},
		{"a/b", "the zone has '/'"},
		{"http://bl.example", "the zone has ':'"},
		{"a\x00b", `the zone has '\x00'`},
		{"bücher.example", "the zone has 'ü'"},
		{"192.0.2.1", "the zone ends in a number"},
	} {
		zone, _, err := ParseSite(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %q %v\nwant %s", tt.text, zone, err, tt.want)
		}
	}
}

// An error about the zone does not tell the key in it.
func TestParseSiteKeepsKeys(t *testing.T) {
	for _, text := range []string{"sEcret1..zen.dq.spamhaus.net", "sEcret1/.zen.dq.spamhaus.net",
		"sEcret1.zen.dq.spamhaus.net=x", "sEcret1.zen.dq.spamhaus.net*x", "sEcret1.-.net",
		"sEcret1.1", "sEcret1." + strings.Repeat("a", 64), "sEcret1." + strings.Repeat("a.", 99)} {
		_, _, err := ParseSite(text)
		if err == nil || strings.Contains(strings.ToLower(err.Error()), "secret1") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestName(t *testing.T) {
	longest := strings.Repeat("a.", 94) + "a"
	for _, tt := range []struct{ addr, zone, want string }{
		{"192.0.2.99", "bl.example", "99.2.0.192.bl.example"},
		{"255.100.10.9", "bl.example", "9.10.100.255.bl.example"},
		{"0.1.19.200", "x", "200.19.1.0.x"},
		{"::ffff:192.0.2.99", "bl.example", "99.2.0.192.bl.example"},
		{"2001:db8:1:2:3:4:567:89ab", "ugly.example.com", "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0." +
			"2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com"}, // RFC 5782 §2.4
		{"fe80::1%eth0", "x", "1." + strings.Repeat("0.", 28) + "8.e.f.x"},
	} {
		if got := Name(netip.MustParseAddr(tt.addr), tt.zone); got != tt.want {
			t.Errorf("%s of %s: %s\nwant %s", tt.addr, tt.zone, got, tt.want)
		}
	}
	if zone, err := ParseZone(longest); err != nil || len(longest) != MaxZone ||
		len(Name(netip.MustParseAddr("2001:db8::1"), zone)) != 253 {
		t.Errorf("the longest zone: %v", err)
	}
	for b := range 256 { // each byte in each place
		a := netip.AddrFrom4([4]byte{byte(b), 1, 2, byte(255 - b)})
		back := strings.Split(Name(a, "x"), ".")
		if got := back[3] + "." + back[2] + "." + back[1] + "." + back[0]; got != a.String() {
			t.Errorf("%v: %s", a, got)
		}
	}
}

func FuzzParseSite(f *testing.F) {
	for _, text := range []string{"zen.spamhaus.org=127.0.0.[2..11]*2", "bl*-1", "[",
		"a=[[1].2.3.4]", "list.dnswl.org=127.0.[0..255].[1;3]*-2", "ZEN.example.", "*", "=",
		"a=1.2.3.4*2*3"} {
		f.Add(text, uint32(0x7f000002))
	}
	f.Fuzz(func(t *testing.T, text string, addr uint32) {
		zone, site, err := ParseSite(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: an error of several lines: %v", text, err)
			}
			return
		}
		again, same, err := ParseSite(site.String(zone))
		if err != nil || again != zone || same != site {
			t.Errorf("%q is spelled %q: %v", text, site.String(zone), err)
		}
		a := netip.AddrFrom4([4]byte{
			byte(addr >> 24), byte(addr >> 16), byte(addr >> 8), byte(addr)})
		if Fits(site.Filter, a) && !Counts(a) {
			t.Errorf("%q fits %v, which does not count", site.Filter, a)
		}
		if n := len(Name(netip.IPv6Unspecified(), zone)); n > 253 {
			t.Errorf("%q: a name of %d bytes", text, n)
		}
	})
}
