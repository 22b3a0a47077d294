package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/policy"
)

func TestListSettings(t *testing.T) {
	zen := func(name, url string, sites ...dnsbl.Site) func(c *Config) {
		return func(c *Config) {
			c.Lists = []dnsbl.List{{Zone: "zen.example", Name: name, URL: url, Sites: sites}}
		}
	}
	settings(t, []setting{
		{"a zone", "dnsbl zen.example", zen("zen.example", "", dnsbl.Site{Weight: 1})},
		{"case, and a dot at the end", "dnsbl Zen.Example.*2",
			zen("zen.example", "", dnsbl.Site{Weight: 2})},
		{"filter and weight", "dnsbl zen.example=127.0.0.[2..11]*3",
			zen("zen.example", "", dnsbl.Site{Filter: "127.0.0.[2..11]", Weight: 3})},
		{"several of one zone", "dnsbl zen.example*3, zen.example\tZEN.example=127.0.0.3*-1 # x",
			zen("zen.example", "", dnsbl.Site{Weight: 3}, dnsbl.Site{Weight: 1},
				dnsbl.Site{Filter: "127.0.0.3", Weight: -1})},
		{"the same zone twice adds up", "dnsbl zen.example\ndnsbl zen.example",
			zen("zen.example", "", dnsbl.Site{Weight: 1}, dnsbl.Site{Weight: 1})},
		{"as a line of main.cf", "dnsbl zen.example*2,wl.example=127.0.[0..255].[1..3]*-2,",
			func(c *Config) {
				c.Lists = []dnsbl.List{
					{Zone: "zen.example", Name: "zen.example", Sites: []dnsbl.Site{{Weight: 2}}},
					{Zone: "wl.example", Name: "wl.example",
						Sites: []dnsbl.Site{{Filter: "127.0.[0..255].[1..3]", Weight: -2}}},
				}
			}},
		{"a name and a URL", "dnsbl zen.example as=Zen_1.x url=https://zen.example/q?a,b#c",
			zen("Zen_1.x", "https://zen.example/q?a,b#c", dnsbl.Site{Weight: 1})},
		{"the name first", "dnsbl as=zen zen.example zen.example*2",
			zen("zen", "", dnsbl.Site{Weight: 1}, dnsbl.Site{Weight: 2})},
		{"the name on another line, before or after",
			"dnsbl zen.example\ndnsbl zen.example*2 as=zen\n" +
				"dnsbl zen.example*3 as=zen url=http://x",
			zen("zen", "http://x", dnsbl.Site{Weight: 1}, dnsbl.Site{Weight: 2},
				dnsbl.Site{Weight: 3})},
		{"its zone as a name", "dnsbl zen.example as=zen.example",
			zen("zen.example", "", dnsbl.Site{Weight: 1})},
		{"score", "dnsbl_threshold 3\ndnsbl_welcome -2\ndnsbl_ttl 90s 2h\non_listed drop",
			func(c *Config) {
				c.DNSBLThreshold, c.DNSBLWelcome, c.OnListed = 3, -2, policy.Drop
				c.DNSBLTTL = policy.TTL{Min: 90 * time.Second, Max: 2 * time.Hour}
			}},
		{"resolvers", "resolver 127.0.0.1 192.0.2.53:5353 ::1 [2001:db8::53]:54 fe80::1%eth0 [::2]",
			func(c *Config) {
				for _, at := range []string{"127.0.0.1:53", "192.0.2.53:5353", "[::1]:53",
					"[2001:db8::53]:54", "[fe80::1%eth0]:53", "[::2]:53"} {
					c.Resolvers = append(c.Resolvers, netip.MustParseAddrPort(at))
				}
			}},
		{"the resolvers of the system", "resolver auto", func(c *Config) {}},
	})
}

func TestListErrors(t *testing.T) {
	const usage = "write dnsbl ZONE[=FILTER][*WEIGHT]... [as=NAME] [url=URL]"
	mistakes(t, []mistake{
		{"dnsbl", "dnsbl: no zone; " + usage},
		{"dnsbl ,", "dnsbl: no zone; " + usage},
		{"dnsbl # zen", "dnsbl: no zone; " + usage},
		{"dnsbl as=zen", "dnsbl: no zone; " + usage},
		{"dnsbl = zen.example", "dnsbl: = before the value; leave out the ="},
		{"dnsbl a.example*x",
			`dnsbl: bad weight "x"; write a whole number from -1000 to 1000, like *2 or *-2`},
		{"dnsbl a.example=127.0.0.300",
			`dnsbl: filter "127.0.0.300": "300" after "127.0.0."; write a number from 0 to 255, ` +
				`or several in brackets, like [2..11]`},
		{"dnsbl a.example\ndnsbl a.example b..example*2",
			`F:2: dnsbl: site 2: the zone has nothing between two dots, or before the first; ` +
				`write a name, like zen.spamhaus.org`},
		{"dnsbl 192.0.2.1",
			`dnsbl: the zone ends in a number, like an address; write the name of a list, like ` +
				`zen.spamhaus.org`},
		{"dnsbl a.example b.example as=x",
			"dnsbl: as= or url= with sites of several zones; write a line for each zone"},
		{"dnsbl a.example b.example url=http://x",
			"dnsbl: as= or url= with sites of several zones; write a line for each zone"},
		{"dnsbl a.example as=x as=y", "dnsbl: as is given twice; keep one"},
		{"dnsbl a.example as=",
			"dnsbl: as without a value; write as=NAME or url=URL, without blanks"},
		{"dnsbl a.example as =x",
			"dnsbl: as without a value; write as=NAME or url=URL, without blanks"},
		{"dnsbl a.example as= x",
			"dnsbl: as without a value; write as=NAME or url=URL, without blanks"},
		{"dnsbl a.example As=x", `dnsbl: unknown key "As"; did you mean as?`},
		{"dnsbl a.example name=x", `dnsbl: unknown key "name"; write as= or url=`},
		{"dnsbl a.example as=x!",
			`dnsbl: as: "x!" has other characters; write letters, digits, hyphens, underscores ` +
				`and dots`},
		{"dnsbl a.example as=" + strings.Repeat("x", 64), "dnsbl: as: 64 bytes; write at most 63"},
		{"dnsbl a.example url=x", `dnsbl: url: "x" is not a URL; write http://... or https://...`},
		{"dnsbl a.example url=http://",
			`dnsbl: url: no host in "http://"; write http://... or https://...`},
		{`dnsbl a.example "url=http://x y"`,
			`dnsbl: url: "http://x y" has other characters; write printable ASCII without blanks`},
		{"dnsbl a.example url=http://" + strings.Repeat("x", 194),
			"dnsbl: url: 201 bytes; write at most 200"},
		{"dnsbl a.example as=x\ndnsbl a.example as=y",
			"F:2: dnsbl: as=y, and another name at F:1; write as=x"},
		{"dnsbl a.example url=http://x\ndnsbl a.example url=http://y",
			"F:2: dnsbl: another URL at F:1; write url=http://x"},
		{"dnsbl a.example as=x\ndnsbl b.example as=x",
			"F:2: dnsbl: as=x is the name of the list at F:1; write another"},
		{"dnsbl a.example\ndnsbl b.example as=a.example",
			"F:2: dnsbl: as=a.example is the name of the list at F:1; write another"},
		{"dnsbl a.example as=x\ndnsbl x",
			"F:2: dnsbl: the zone is the name of the list at F:1, by as=; write another there"},
		{"dnsbl: a.example",
			"the first word is not dnsbl; write a plain blank behind dnsbl, and nothing else"},
		{"dnsbls a.example",
			"the first word is not dnsbl; write a plain blank behind dnsbl, and nothing else"},
		{"rbl a.example", `unknown directive "rbl"; did you mean dnsbl?`},
		{"postscreen_dnsbl_sites = a.example b.example",
			"postscreen_dnsbl_sites is the name in Postfix; write dnsbl and behind it the sites, " +
				"without the ="},
		{"  a.example*2", "a zone stands alone; write dnsbl before it"},
		{"a.example as=x", "a zone stands alone; write dnsbl before it"},
		{"a.example\tas=x", "a zone stands alone; write dnsbl before it"},
		{"  key.a.example,key.b.example",
			"a name stands alone; write dnsbl, allow, deny or client before it"},
		{"rbl=key.a.example", `unknown directive "rbl"; did you mean dnsbl?`},
		{"zen=key.a.example*3", `unknown directive "zen"; did you mean deny?`},
		{"postscreen_dnsbl_threshold = 3",
			`unknown directive "postscreen_dnsbl_threshold"; did you mean dnsbl_threshold?`},

		{"dnsbl_threshold -1", `dnsbl_threshold: "-1" is out of range; write 0 to 64000`},
		{"dnsbl_threshold=3", `"dnsbl_threshold=3" is one word; write dnsbl_threshold 3`},
		{"dnsbl_welcome 2", `dnsbl_welcome: "2" is above 0; write -2`},
		{"dnsbl_welcome off", `dnsbl_welcome: "off" is not a plain number; write 0`},
		{"dnsbl_welcome -64001", `dnsbl_welcome: "-64001" is out of range; write -64000 to 0`},
		{"dnsbl_ttl 1m", "dnsbl_ttl: one time; write both, such as 1m 1h"},
		{"dnsbl_ttl 2m 1m",
			`dnsbl_ttl: "2m" is longer than "1m"; write the shorter one first: 1m 2m`},
		{"dnsbl_ttl 0 1m", `dnsbl_ttl: MIN: "0" is out of range; write 1s to 24h`},
		{"dnsbl_ttl 1m 25h", `dnsbl_ttl: MAX: "25h" is out of range; write 1s to 24h`},
		{"on_listed block", `on_listed: "block" is unknown; write reject, tempfail or drop`},

		{"resolver localhost",
			`resolver: "localhost" is a name, for which a resolver would have to be asked first; ` +
				`write its address, or 127.0.0.1 for this machine`},
		{"resolver ns.example.org:53",
			`resolver: "ns.example.org" is a name, for which a resolver would have to be asked ` +
				`first; write its address, or 127.0.0.1 for this machine`},
		{"resolver off",
			`resolver: "off" is not an address; write auto for those of /etc/resolv.conf`},
		{"resolver 127.0.0.1:0", `resolver: wrong port in "127.0.0.1:0"; ` +
			`write 1 to 65535 after the last colon`},
		{"resolver 127.0.0.1:x", `resolver: wrong port in "127.0.0.1:x"; ` +
			`write 1 to 65535 after the last colon`},
		{"resolver 127.0.0.1@5353",
			`resolver: "127.0.0.1@5353" is the spelling of another program; write 127.0.0.1:5353`},
		{"resolver ::1#5353",
			`resolver: "::1#5353" is the spelling of another program; write [::1]:5353`},
		{"resolver ::ffff:127.0.0.1", `resolver: "::ffff:127.0.0.1" is IPv4-mapped; ` +
			`write its IPv4 form 127.0.0.1`},
		{"resolver 0.0.0.0", `resolver: "0.0.0.0" is no host's address; ` +
			`write 127.0.0.1 for this machine's own`},
		{"resolver 224.0.0.251", `resolver: "224.0.0.251" is no host's address; ` +
			`write 127.0.0.1 for this machine's own`},
		{"resolver fe80::1", `resolver: no interface for "fe80::1"; write fe80::1%INTERFACE`},
		{"resolver 127.0.0.1 127.0.0.1:53", `resolver: "127.0.0.1:53" is given twice; keep one`},
		{"resolver ???", `resolver: "???" is not an address; ` +
			`write ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, such as 127.0.0.1`},
		{"resolver auto 127.0.0.1",
			`resolver: "auto" is a name, for which a resolver would have to be asked first; ` +
				`write its address, or 127.0.0.1 for this machine`},
		{"resolver 1.0.0.1 1.0.0.2 1.0.0.3 1.0.0.4 1.0.0.5 1.0.0.6 1.0.0.7 1.0.0.8 1.0.0.9",
			"resolver: more than 8 resolvers; write fewer"},
		{"client 192.0.2.1 dnsbl=no", `dnsbl: "no" is unknown; write off`},
		{"client 192.0.2.1 dnsbl=1", `dnsbl: "1" is unknown; write on`},
	})
}

func TestListBounds(t *testing.T) {
	bounds(t, []bound{
		{"dnsbl a.example*%s", "-1000", "1000", "-1001", "1001"},
		{"dnsbl_threshold %s", "0", "64000", "-1", "64001"},
		{"dnsbl_welcome %s", "-64000", "0", "-64001", "1"},
		{"dnsbl_ttl %s 1h", "1s", "1h", "999ms", "61m"},
		{"dnsbl_ttl 1s %s", "1s", "24h", "999ms", "25h"},
		{"resolver 127.0.0.1:%s", "1", "65535", "0", "65536"},
	})
}

// No more lists and sites are taken than the bounds say, and the others hold.
func TestListsAreBounded(t *testing.T) {
	zones, one, all := "", "", ""
	for i := range maxLists {
		zones += fmt.Sprintf("dnsbl z%d.example z%[1]d.example*2\n", i)
	}
	one = "dnsbl" + strings.Repeat(" a.example", maxListSites)
	for i := range maxSites / maxListSites {
		all += strings.ReplaceAll(one, "a.example", fmt.Sprint("z", i)) + "\n"
	}
	for name, tt := range map[string]struct{ text, more, want string }{
		"zones": {zones[:strings.LastIndex(zones, " ")], "\ndnsbl more.example",
			"more than 32 zones"},
		"sites of one zone": {one, "\ndnsbl a.example", "more than 16 sites of one zone"},
		"sites":             {all, "dnsbl z0 more", "more than 64 sites"},
	} {
		c, errs := load(t, tt.text)
		more, wrong := load(t, tt.text+tt.more)
		if errs != nil || len(wrong) == 0 || !strings.Contains(wrong[0], tt.want+"; write fewer") {
			t.Errorf("%s: %q, then %q; want %q", name, errs, wrong, tt.want)
		}
		if !reflect.DeepEqual(c.Lists, more.Lists) {
			t.Errorf("%s: lists %+v\nwant %+v", name, more.Lists, c.Lists)
		}
		readsBack(t, c)
	}
}

// A client line switches lists off or on for a network; the longest decides.
func TestClientDNSBL(t *testing.T) {
	for text, want := range map[string]int{
		"": 1, "client 192.0.2.1 dnsbl=off": 0, "client 192.0.2.1 dnsbl=on": 1,
		"client 192.0.0.0/8 dnsbl=off\nclient 192.0.2.0/24 dnsbl=on":    1,
		"client 192.0.0.0/8 dnsbl=off\nclient 192.0.2.0/24 max_rcpts=1": 0,
	} {
		c, errs := load(t, text)
		got := c.Networks.Match(client).Limits.CountOr(rule.DNSBL, 1)
		if errs != nil || got != want {
			t.Errorf("%q: %d; want %d %q", text, got, want, errs)
		}
	}
}
