package allowlist

import (
	"net/netip"
	"strings"
	"testing"

	"sendwrap/allowlist/rule"
)

func TestParseNetwork(t *testing.T) {
	tests := []struct{ name, text, want, wantErr string }{
		{"IPv4", "192.0.2.0/24", "192.0.2.0/24", ""},
		{"bare address is a network of one", "192.0.2.1", "192.0.2.1/32", ""},
		{"IPv6", "2001:db8::/32", "2001:db8::/32", ""},
		{"bare IPv6 address", "2001:db8::1", "2001:db8::1/128", ""},
		{"everyone", "0.0.0.0/0", "0.0.0.0/0", ""},
		{"everyone of IPv6", "::/0", "::/0", ""},

		{"host bits", "192.0.2.1/24", "",
			`host bits set in "192.0.2.1/24"; write 192.0.2.0/24 or 192.0.2.1`},
		{"host bits of IPv6", "2001:db8::1/32", "",
			`host bits set in "2001:db8::1/32"; write 2001:db8::/32 or 2001:db8::1`},
		{"host bits of /0", "192.0.2.1/0", "",
			`host bits set in "192.0.2.1/0"; write 0.0.0.0/0 or 192.0.2.1`},
		// cidranger takes this network and then never finds it.
		{"mapped network", "::ffff:192.0.2.0/120", "",
			`"::ffff:192.0.2.0/120" is IPv4-mapped; write its IPv4 form 192.0.2.0/24`},
		{"mapped network with host bits", "::ffff:192.0.2.1/120", "",
			`"::ffff:192.0.2.1/120" is IPv4-mapped; write its IPv4 form 192.0.2.0/24 or 192.0.2.1`},
		{"mapped address", "::ffff:192.0.2.1", "",
			`"::ffff:192.0.2.1" is IPv4-mapped; write its IPv4 form 192.0.2.1`},
		{"mapped address as a network", "::ffff:192.0.2.1/128", "",
			`"::ffff:192.0.2.1/128" is IPv4-mapped; write its IPv4 form 192.0.2.1`},
		{"all of IPv4, mapped", "::ffff:0:0/96", "",
			`"::ffff:0:0/96" is IPv4-mapped; write its IPv4 form 0.0.0.0/0`},
		{"mapped, shorter than IPv4", "::ffff:192.0.2.1/64", "",
			`"::ffff:192.0.2.1/64" is IPv4-mapped; write its IPv4 form 192.0.2.1`},
		{"zone", "fe80::1%eth0", "", `zone in "fe80::1%eth0"; write fe80::1`},
		{"zone in a network", "fe80::%eth0/64", "", `zone in "fe80::%eth0/64"; write fe80::/64`},
		{"zone and host bits", "fe80::1%eth0/64", "",
			`zone in "fe80::1%eth0/64"; write fe80::/64 or fe80::1`},
		{"mapped and zone", "::ffff:192.0.2.1%eth0", "",
			`"::ffff:192.0.2.1%eth0" is IPv4-mapped; write its IPv4 form 192.0.2.1`},

		{"too long for IPv4", "192.0.2.0/33", "",
			`wrong length after the slash in "192.0.2.0/33"; write a number from 0 to 32`},
		{"too long for IPv6", "2001:db8::/129", "",
			`wrong length after the slash in "2001:db8::/129"; write a number from 0 to 128`},
		{"no length", "192.0.2.0/", "",
			`wrong length after the slash in "192.0.2.0/"; write a number from 0 to 32`},
		{"length with a zero", "192.0.2.0/024", "",
			`wrong length after the slash in "192.0.2.0/024"; write a number from 0 to 32`},
		{"two slashes", "192.0.2.0/24/24", "",
			`wrong length after the slash in "192.0.2.0/24/24"; write a number from 0 to 32`},
		{"huge length", "192.0.2.0/99999999999999999999", "",
			`wrong length after the slash in "192.0.2.0/99999999999999999999"; write a number ` +
				`from 0 to 32`},

		{"octets with a dot", "192.0.2.", "",
			`"192.0.2." is neither an address nor CIDR; write 192.0.2.0/24`},
		{"octets", "192.0", "", `"192.0" is neither an address nor CIDR; write 192.0.0.0/16`},
		{"one octet", "10.", "", `"10." is neither an address nor CIDR; write 10.0.0.0/8`},
		{"octets and length", "192.0.2/24", "",
			`"192.0.2/24" is neither an address nor CIDR; write 192.0.2.0/24`},
		{"octets and shorter length", "192.0.2/16", "",
			`"192.0.2/16" is neither an address nor CIDR; write 192.0.0.0/16`},
		{"octets and wrong length", "192.0.2/40", "",
			`"192.0.2/40" is not a network; write a network such as 192.0.2.0/24 or 2001:db8::/32`},
		{"wildcard", "192.0.*", "", `"192.0.*" is neither an address nor CIDR; write 192.0.0.0/16`},
		{"wildcards", "192.0.*.*", "",
			`"192.0.*.*" is neither an address nor CIDR; write 192.0.0.0/16`},
		{"groups with a colon", "2001:db8:", "",
			`"2001:db8:" is neither an address nor CIDR; write 2001:db8::/32`},
		{"groups", "2001:db8:1", "",
			`"2001:db8:1" is neither an address nor CIDR; write 2001:db8:1::/48`},
		{"groups and length", "2001:db8/30", "",
			`"2001:db8/30" is neither an address nor CIDR; write 2001:db8::/30`},
		{"netmask", "192.0.2.0/255.255.255.0", "",
			`"192.0.2.0/255.255.255.0" is neither an address nor CIDR; write 192.0.2.0/24`},
		{"netmask and host bits", "192.0.2.1/255.255.255.0", "",
			`"192.0.2.1/255.255.255.0" is neither an address nor CIDR; write 192.0.2.0/24 or ` +
				`192.0.2.1`},
		{"netmask of one", "192.0.2.1/255.255.255.255", "",
			`"192.0.2.1/255.255.255.255" is neither an address nor CIDR; write 192.0.2.1`},
		{"netmask of all", "0.0.0.0/0.0.0.0", "",
			`"0.0.0.0/0.0.0.0" is neither an address nor CIDR; write 0.0.0.0/0`},
		{"netmask with holes", "192.0.2.0/255.0.255.0", "",
			`wrong length after the slash in "192.0.2.0/255.0.255.0"; write a number from 0 to 32`},
		{"range", "192.0.2.0-192.0.2.255", "",
			`"192.0.2.0-192.0.2.255" is neither an address nor CIDR; write 192.0.2.0/24`},
		{"range of several", "192.0.2.1-192.0.2.4", "",
			`"192.0.2.1-192.0.2.4" is neither an address nor CIDR; write 192.0.2.1 192.0.2.2/31 ` +
				`192.0.2.4`},
		{"short range", "192.0.2.64-127", "",
			`"192.0.2.64-127" is neither an address nor CIDR; write 192.0.2.64/26`},
		{"range to the last address", "255.255.255.254-255.255.255.255", "",
			`"255.255.255.254-255.255.255.255" is neither an address nor CIDR; write ` +
				`255.255.255.254/31`},
		{"range of everyone", "0.0.0.0-255.255.255.255", "",
			`"0.0.0.0-255.255.255.255" is neither an address nor CIDR; write 0.0.0.0/0`},
		{"range of IPv6", "2001:db8::-2001:db8::1", "",
			`"2001:db8::-2001:db8::1" is neither an address nor CIDR; write 2001:db8::/127`},
		{"range that many networks make up", "192.0.2.1-192.0.2.254", "",
			`"192.0.2.1-192.0.2.254" is not a network; write a network such as 192.0.2.0/24 or ` +
				`2001:db8::/32`},
		{"range backwards", "192.0.2.9-192.0.2.1", "",
			`"192.0.2.9-192.0.2.1" is not a network; write a network such as 192.0.2.0/24 or ` +
				`2001:db8::/32`},
		{"range of both families", "192.0.2.9-2001:db8::1", "",
			`"192.0.2.9-2001:db8::1" is not a network; write a network such as 192.0.2.0/24 or ` +
				`2001:db8::/32`},
		{"as in the log", "[192.0.2.9]:51544", "",
			`"[192.0.2.9]:51544" is neither an address nor CIDR; write 192.0.2.9`},
		{"in brackets", "[2001:db8::1]", "",
			`"[2001:db8::1]" is neither an address nor CIDR; write 2001:db8::1`},
		{"with a port", "192.0.2.9:25", "",
			`"192.0.2.9:25" is neither an address nor CIDR; write 192.0.2.9`},

		{"all", "all", "", `"all" is not a network; write 0.0.0.0/0 ::/0`},
		{"all, as in hosts.allow", "ALL", "", `"ALL" is not a network; write 0.0.0.0/0 ::/0`},
		{"any", "any", "", `"any" is not a network; write 0.0.0.0/0 ::/0`},
		{"a star", "*", "", `"*" is not a network; write 0.0.0.0/0 ::/0`},
		{"a name that begins like all", "all.example.org", "",
			`"all.example.org" is a name; write its address or network`},
		{"nothing", "", "", `empty network; write a network such as 192.0.2.0/24`},
		{"comma", "192.0.2.1,192.0.2.2", "",
			`"192.0.2.1,192.0.2.2" is not one network; write blanks between networks`},
		{"comma at the end", "192.0.2.1,", "",
			`"192.0.2.1," is not one network; write blanks between networks`},
		{"name", "mail.example.org", "",
			`"mail.example.org" is a name; write its address or network`},
		{"comment without a blank", "192.0.2.1#x", "",
			`"192.0.2.1#x" is not a network; write a blank before the comment`},
		{"octet too large", "192.0.2.256", "",
			`"192.0.2.256" is not a network; write a network such as 192.0.2.0/24 or ` +
				`2001:db8::/32`},
		{"octal, perhaps", "010.0.0.1", "",
			`leading zero in "010.0.0.1"; write 10.0.0.1 or 8.0.0.1`},
		{"the same in octal", "192.0.02.1", "", `leading zero in "192.0.02.1"; write 192.0.2.1`},
		{"no octal number", "192.008.002.000/24", "",
			`leading zero in "192.008.002.000/24"; write 192.8.2.0/24`},
		{"zeros in a network, perhaps octal", "192.0.010.0/24", "",
			`leading zero in "192.0.010.0/24"; write 192.0.10.0/24 or 192.0.8.0/24`},
		{"zeros before what is too large", "192.0.0999.0", "",
			`"192.0.0999.0" is not a network; write a network such as 192.0.2.0/24 or ` +
				`2001:db8::/32`},
		{"pattern of names", "*.example.org", "",
			`"*.example.org" is a pattern; write its networks, such as 192.0.2.0/24 or ` +
				`2001:db8::/32`},
		{"pattern", "192.0.2.1?", "",
			`"192.0.2.1?" is a pattern; write its networks, such as 192.0.2.0/24 or 2001:db8::/32`},
		{"bracket alone", "]", "",
			`"]" is not a network; write a network such as 192.0.2.0/24 or 2001:db8::/32`},
		{"terminal control", "\x1b[2J", "",
			`"\x1b[2J" is not a network; write a network such as 192.0.2.0/24 or 2001:db8::/32`},
		{"endless", strings.Repeat("1", 1<<20), "",
			`"` + strings.Repeat("1", 100) +
				`"... is not a network; write a network such as 192.0.2.0/24`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseNetwork(tt.text)
			gotErr := ""
			if err != nil {
				gotErr = err.Error()
			}
			if gotErr != tt.wantErr {
				t.Fatalf("ParseNetwork(%.200q)\n error %s\n  want %s", tt.text, gotErr, tt.wantErr)
			}
			if err == nil && got != netip.MustParsePrefix(tt.want) {
				t.Errorf("ParseNetwork(%q) = %s; want %s", tt.text, got, tt.want)
			}
		})
	}
}

// TestHintsHold follows every hint that names networks: what it says to write must be accepted.
func TestHintsHold(t *testing.T) {
	for _, text := range []string{
		"192.0.2.1/24", "2001:db8::1/32", "192.0.2.1/0", "::ffff:192.0.2.1/120", "fe80::1%eth0/64",
		"192.0.2.", "10.",
		"192.0.2/16", "2001:db8:", "1:2:3:4:5:6:7", "192.0.2.1/255.255.255.0",
		"192.0.2.1-192.0.2.4", "010.010.0.1/16", "[::ffff:192.0.2.9]:25", "all",
	} {
		_, err := ParseNetwork(text)
		e, ok := err.(*Error)
		if !ok {
			t.Errorf("ParseNetwork(%q): %v; want an *Error", text, err)
			continue
		}
		followed := 0
		for _, word := range strings.Fields(e.Hint) {
			if !strings.ContainsAny(word, ".:") {
				continue
			}
			followed++
			if _, err := ParseNetwork(word); err != nil {
				t.Errorf("ParseNetwork(%q) says %q, but: %v", text, e.Hint, err)
			}
		}
		if followed == 0 {
			t.Errorf("ParseNetwork(%q) says %q: names no network", text, e.Hint)
		}
	}
}

func FuzzParseNetwork(f *testing.F) {
	for _, seed := range []string{
		"192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "192.0.2.1/24", "::ffff:192.0.2.0/120",
		"fe80::1%eth0/64", "192.0.2.",
		"192.0.2.0/255.255.255.0", "192.0.2.0-255", "2001:db8:", "[::1]:25", "]", "", "/", "-",
		".*", "::", ":/", "%",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseNetwork(s)
		if err != nil {
			e, ok := err.(*Error)
			if !ok || e.Msg == "" || e.Hint == "" || len(e.Error()) > 800 ||
				strings.ContainsAny(e.Error(), "\r\n") {
				t.Fatalf("ParseNetwork(%q): no error for an administrator: %q", s, err)
			}
			return
		}
		if p != p.Masked() {
			t.Errorf("ParseNetwork(%q) = %s, which has host bits", s, p)
		}
		for _, client := range []netip.Addr{p.Addr(), last(p)} {
			if client.Is4In6() { // the last of ::/80; as a client it is one of IPv4
				continue
			}
			for _, l := range []*List{For(client), All()} {
				if err := l.SetAccess(p, rule.Deny, rule.Source{File: "f", Line: 1}); err != nil {
					t.Fatal(err)
				}
				if m := l.Match(client); m.Access != rule.Deny || m.Network != p {
					t.Errorf("ParseNetwork(%q) = %s, but its own %s does not match: %+v", s, p,
						client, m)
				}
			}
		}
	})
}

// TestGuess: all networks that a wrong text can mean, and none if that is unclear.
func TestGuess(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"192.0.2.77/24", "192.0.2.0/24"}, {"2001:db8::1/32", "2001:db8::/32"},
		{"192.0.2.1/0", "0.0.0.0/0"},
		{"192.0.2.0/255.255.255.0", "192.0.2.0/24"}, {"192.0.2", "192.0.2.0/24"},
		{"2001:db8", "2001:db8::/32"},
		{"[192.0.2.1]:25", "192.0.2.1/32"}, {"192.0.2.0-192.0.2.255", "192.0.2.0/24"},
		{"any", "0.0.0.0/0 ::/0"},
		{"192.0.2.77/255.255.255.0", "192.0.2.0/24 192.0.2.77/32"},
		{"010.0.0.1", "10.0.0.1/32 8.0.0.1/32"},
		{"::ffff:192.0.2.0/120", "192.0.2.0/24"}, {"::ffff:192.0.2.1/24", "192.0.2.0/24"},
		{"::ffff:192.0.2.1/64", "192.0.2.1/32"},
		{"fe80::1%eth0", "fe80::1/128"},
		{"192.0.2.1,2001:db8::/32;any", "192.0.2.1/32 2001:db8::/32 0.0.0.0/0 ::/0"},
		{"", ""}, {",", ""}, {"mx.example.org", ""}, {"192.0.2.1/33", ""}, {"192.0.2.300", ""},
		{"192.0.2.1,x", ""},
		{strings.Repeat("1", 101), ""},
	} {
		var got []string
		for _, network := range Guess(tt.text) {
			if network != network.Masked() {
				t.Errorf("Guess(%q): %v has host bits", tt.text, network)
			}
			got = append(got, network.String())
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("Guess(%q) = %q; want %q", tt.text, s, tt.want)
		}
	}
}
