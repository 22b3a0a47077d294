package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist"
)

// setting is a configuration that is right.
type setting struct {
	name, text string
	want       func(c *Config) // makes it of the default
}

func TestSettings(t *testing.T) {
	settings(t, []setting{
		{"nothing", "", func(c *Config) {}},
		{"blanks and comments", " \t\n# mta x\n\t # y\n#mta\n", func(c *Config) {}},
		{"mta", "mta /usr/sbin/exim -bs", func(c *Config) { c.MTA = []string{"/usr/sbin/exim", "-bs"} }},
		{"mta alone", "mta /x", func(c *Config) { c.MTA = []string{"/x"} }},
		{"mta of many words", "mta /x a b c d e f g h i j k", func(c *Config) { c.MTA = strings.Fields("/x a b c d e f g h i j k") }},
		{"a backslash or an odd blank that is meant", `mta /a "b\\" "c\\"` + " \"d\u00a0e\"",
			func(c *Config) { c.MTA = []string{"/a", `b\`, `c\`, "d\u00a0e"} }},
		{"a backslash before a comment", `mta /a \ # b`, func(c *Config) { c.MTA = []string{"/a", `\`} }},
		{"quotes", `mta "/a b" "" "\"" "\\" "#" "x	y" # z`, func(c *Config) { c.MTA = []string{"/a b", "", `"`, `\`, "#", "x\ty"} }},
		{"escapes among blanks", `mta "/a \\ b" "a \"b\""`, func(c *Config) { c.MTA = []string{`/a \ b`, `a "b"`} }},
		{"backslash and # within a word", `mta /a\b#c`, func(c *Config) { c.MTA = []string{`/a\b#c`} }},
		{"UTF-8 and other bytes", "mta /é \xff", func(c *Config) { c.MTA = []string{"/é", "\xff"} }},
		{"comment after words", "client_conns 7 # as agreed", func(c *Config) { c.ClientConns = 7 }},
		{"BOM", "\ufeffclient_conns 7\n\ufeff\n\ufeffmode observe", func(c *Config) { c.ClientConns, c.Mode = 7, Observe }},
		{"nat64", "nat64 2001:db8:64::/96 64:ff9b::/96 2001:db8::/32", func(c *Config) {
			c.NAT64 = append(c.NAT64, netip.MustParsePrefix("2001:db8:64::/96"), netip.MustParsePrefix("2001:db8::/32"))
		}},
		{"CRLF", "client_conns 7\r\n\r\nmode observe\r\n", func(c *Config) { c.ClientConns, c.Mode = 7, Observe }},
		{"tabs", "\tclient_conns\t\t7\t", func(c *Config) { c.ClientConns = 7 }},
		{"quoted directive", `"client_conns" "7"`, func(c *Config) { c.ClientConns = 7 }},

		{"greet_delay", "greet_delay 10s", func(c *Config) { c.GreetDelay = 10 * time.Second }},
		{"greet_delay and stress", "greet_delay 10s stress=0s", func(c *Config) { c.GreetDelay, c.StressDelay = 10*time.Second, 0 }},
		{"stress is no longer than a short delay", "greet_delay 500ms",
			func(c *Config) { c.GreetDelay, c.StressDelay = 500*time.Millisecond, 500*time.Millisecond }},
		{"no delay", "greet_delay 0", func(c *Config) { c.GreetDelay, c.StressDelay = 0, 0 }},
		{"teaser", "teaser mx.example.org  ESMTP", func(c *Config) { c.Teaser = "mx.example.org ESMTP" }},
		{"teaser in quotes", `teaser "mx.example.org  ESMTP"`, func(c *Config) { c.Teaser = "mx.example.org  ESMTP" }},
		{"on_pregreet tempfail", "on_pregreet tempfail", func(c *Config) { c.OnPregreet = Tempfail }},
		{"on_pregreet drop", "on_pregreet drop", func(c *Config) { c.OnPregreet = Drop }},
		{"on_denied talk", "on_denied talk", func(c *Config) { c.OnDenied = Talk }},
		{"client_rate", "client_rate 30/1m", func(c *Config) { c.ClientRate = allowlist.Rate{N: 30, Per: time.Minute} }},
		{"max_waiting holds in the room too", "max_waiting 7", func(c *Config) { c.MaxWaiting, c.RoomWaiting = 7, 7 }},
		{"max_waiting in the room", "max_waiting 7 room=9", func(c *Config) { c.MaxWaiting, c.RoomWaiting = 7, 9 }},
		{"spawn_rate", "spawn_rate 7", func(c *Config) { c.SpawnRate = 7 }},
		{"max_idle", "max_idle 90s", func(c *Config) { c.MaxIdle = 90 * time.Second }},
		{"max_idle never", "max_idle 0", func(c *Config) { c.MaxIdle = 0 }},
		{"room_idle", "room_idle 90s", func(c *Config) { c.RoomIdle = 90 * time.Second }},
		{"room_idle never", "room_idle 0", func(c *Config) { c.RoomIdle = 0 }},
		{"refuse_load", "refuse_load 12.5", func(c *Config) { c.RefuseLoad = 12.5 }},
		{"count_by", "count_by 24 48", func(c *Config) { c.CountBy = Widths{24, 48} }},
		{"remember days", "remember 7d", func(c *Config) { c.Remember = 7 * 24 * time.Hour }},
		{"remember never", "remember 0", func(c *Config) { c.Remember = 0 }},
		{"ledger", "ledger /run/l", func(c *Config) { c.Ledger.Path = "/run/l" }},
		{"ledger and clients", "ledger /run/l clients=4096", func(c *Config) { c.Ledger = Ledger{"/run/l", 4096} }},
		{"log", "log stderr", func(c *Config) { c.Log = Stderr }},
		{"log none", "log none", func(c *Config) { c.Log = None }},
	})
}

func settings(t *testing.T, tests []setting) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, errs := load(t, tt.text)
			if errs != nil {
				t.Fatalf("%q: %s", tt.text, errs)
			}
			want := Default()
			tt.want(want)
			want.Networks = got.Networks
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%q\n got %+v\nwant %+v", tt.text, got, want)
			}
			readsBack(t, got)
		})
	}
}

// readsBack prints c, reads that again, and wants the same.
func readsBack(t *testing.T, c *Config) {
	t.Helper()
	var text strings.Builder
	if err := c.Write(&text); err != nil {
		t.Fatal(err)
	}
	again, errs := load(t, text.String())
	if errs != nil {
		t.Fatalf("printed:\n%s\nread back: %s", text.String(), errs)
	}
	again.Networks, again.Files, again.lines = c.Networks, c.Files, c.lines
	if !reflect.DeepEqual(again, c) {
		t.Fatalf("printed:\n%s\nread back as %+v\n    want %+v", text.String(), again, c)
	}
}

// TestErrors: each wrong line is named with the words that follow, and nothing holds of it.
func TestErrors(t *testing.T) {
	mistakes(t, []mistake{
		{"delay 5s", `unknown directive "delay"; did you mean greet_delay?`},
		{"blacklist 192.0.2.9", `unknown directive "blacklist"; did you mean deny?`},
		{"greet_dealy 5s", `unknown directive "greet_dealy"; did you mean greet_delay?`},
		{"Greet-Delay 5s", `unknown directive "Greet-Delay"; did you mean greet_delay?`},
		{"x\ufeffmta /x", `invisible character (U+FEFF) in "x\ufeffmta"; remove it, or "..." around the word if it is meant`},
		{"listen 25", `unknown directive "listen"; remove it, or see sendwrap.conf(5)`},
		{"max_waiting=5", `"max_waiting=5" is one word; write max_waiting 5`},
		{"max_waitin=5", `unknown directive "max_waitin=5"; did you mean max_waiting?`},
		{"mode =", "mode: no value; write mode enforce|observe"},
		{"client_conns fifty", `client_conns: "fifty" is not a number; write 0 to 100000`},
		{"max_waiting = 5", `max_waiting: = before the value; leave out the =`},
		{"max_waiting", `max_waiting: no value; write max_waiting N [room=N]`},
		{"max_waiting 5 6", `max_waiting: "6" is not KEY=VALUE; write room=6`},
		{"max_waiting 5 room=6 7", `max_waiting: "7" is one word too many; write max_waiting N [room=N]`},
		{"max_waiting 5 room=0", `max_waiting: room: "0" is out of range; write 1 to 1000000`},
		{"room_idle 0.5s", `room_idle: "0.5s" is out of range; write 1s to 24h`},
		{"room_idle 25h", `room_idle: "25h" is out of range; write 1s to 24h`},
		{"spawn_rate 0", `spawn_rate: "0" is out of range; write 1 to 10000`},
		{"max_waiting 5\nmax_waiting 5", `F:2: max_waiting: already set at F:1; keep one`},

		{`mta "/a`, `mta: quoted word "/a" does not end; write " at its end`},
		{`mta "/a\`, `mta: backslash before neither " nor \ in "/a\\"; write \\ for a backslash`},
		{`mta "/a\n"`, `mta: backslash before neither " nor \ in "/a\\"; write \\ for a backslash`},
		{`mta "/a"b`, `mta: quoted word "/a" goes on; write a blank after the closing quote`},
		{`mta /a"b"`, `mta: quote inside the word "/a\""; write "..." around the whole word`},
		{"mta /a\x1bb", `mta: control character '\x1b'; remove it`},
		{"mta \"/a\x1bb\"", `mta: control character '\x1b'; remove it`},
		{"mta /a\rb", `mta: control character '\r'; remove it`},
		{`"mta`, `quoted word "mta" does not end; write " at its end`},
		{"\x01", `control character '\x01'; remove it`},

		{"mta sendmail -bs", `mta: "sendmail" is not an absolute path; write its full path, from /`},
		{"mta /usr/sbin/", `mta: "/usr/sbin/" names a directory; write the path of a file`},
		{"greet_delay 5", `greet_delay: no unit in "5"; write 5s`},
		{"greet_delay 5 s", `greet_delay: no unit in "5"; write 5s`},
		{"greet_delay five", `greet_delay: "five" is not a time; write a number with ms, s, m, h or d, such as 90s or 1h30m`},
		{"greet_delay off", `greet_delay: "off" is not a time; write 0s`},
		{"greet_delay None", `greet_delay: "None" is not a time; write 0s`},
		{"greet_delay 10s stress=no", `greet_delay: stress: "no" is not a time; write 0s`},
		{"remember never", `remember: "never" is not a time; write 0s`},
		{"room_idle never", `room_idle: "never" is not a time; write 0s`},
		{"greet_delay -5s", `greet_delay: "-5s" is not a time; write a number with ms, s, m, h or d, such as 90s or 1h30m`},
		{"greet_delay d", `greet_delay: "d" is not a time; write a number with ms, s, m, h or d, such as 90s or 1h30m`},
		{`greet_delay ""`, `greet_delay: "" is not a time; write a number with ms, s, m, h or d, such as 90s or 1h30m`},
		{"greet_delay 1500us", `greet_delay: "1500us" is finer than 1ms; write whole milliseconds`},
		{"greet_delay 5m", `greet_delay: "5m" is out of range; write 0s to 4m50s`},
		{"greet_delay 99999999999d", `greet_delay: "99999999999d" is out of range; write 0s to 4m50s`},
		{"greet_delay 9999d9999999h", `greet_delay: "9999d9999999h" is out of range; write 0s to 4m50s`},
		{"greet_delay 9999d999999h", `greet_delay: "9999d999999h" is out of range; write 0s to 4m50s`},
		{"greet_delay 10s stress=11s", `greet_delay: stress: "11s" is out of range; write 0s to 10s`},
		{"greet_delay 10s 2s", `greet_delay: "2s" is not KEY=VALUE; write stress=2s`},
		{"greet_delay 10s stres=2s", `greet_delay: unknown key "stres"; did you mean stress?`},
		{"teaser 220-mx.example.org", `teaser: "220-mx.example.org" begins with the reply code; leave out 220, it is put before the text`},
		{"teaser " + strings.Repeat("x", 401), `teaser: 401 bytes; write at most 400`},
		{"teaser grüß", `teaser: "grüß" has other characters; write printable ASCII`},
		{`teaser ""`, `teaser: empty text; write off for none`},
		{"on_pregreet rejct", `on_pregreet: "rejct" is unknown; write reject, tempfail or drop`},
		{"on_denied reject", `on_denied: "reject" is unknown; write close or talk`},
		{"client_rate 10", `client_rate: "10" is not a rate; write N/DUR such as 10/1m, or 0 for no limit`},
		{"client_rate 10/60", `client_rate: no unit in "60"; write 60s`},
		{"client_rate 0/1m", `client_rate: "0" is out of range; write 1 to 65535`},
		{"client_conns many", `client_conns: "many" is not a number; write 0 to 100000`},
		{"client_conns off", `client_conns: "off" is not a plain number; write 0`},
		{"client_conns unlimited", `client_conns: "unlimited" is not a plain number; write 0`},
		{"client_rate off", `client_rate: "off" is not a rate; write N/DUR such as 10/1m, or 0 for no limit`},
		{"client_rate 1k/1h", `client_rate: "1k" is not a plain number; write 1000`},
		{"max_waiting 1k", `max_waiting: "1k" is not a plain number; write 1000`},
		{"max_waiting 5 room=20K", `max_waiting: room: "20K" is not a plain number; write 20000`},
		{"max_waiting 1M", `max_waiting: "1M" is not a plain number; write 1000000`},
		{"max_waiting 2M", `max_waiting: "2M" is out of range; write 1 to 1000000`},
		{"max_waiting 20,000", `max_waiting: "20,000" is not a plain number; write 20000`},
		{"max_waiting 1_000", `max_waiting: "1_000" is not a plain number; write 1000`},
		{"max_waiting 1,5", `max_waiting: "1,5" is out of range; write 1 to 1000000`},
		{"max_waiting k", `max_waiting: "k" is not a number; write 1 to 1000000`},
		{"max_waiting -1k", `max_waiting: "-1k" is out of range; write 1 to 1000000`},
		{"max_waiting 99999999999999999999k", `max_waiting: "99999999999999999999k" is out of range; write 1 to 1000000`},
		{"max_waiting off", `max_waiting: "off" is out of range; write 1 to 1000000`},
		{"ledger /l clients=64k", `ledger: clients: "64k" is not a plain number; write 64000`},
		{"refuse_load off", `refuse_load: "off" is not a plain number; write 0`},
		{"refuse_load nan", `refuse_load: "nan" is out of range; write 0 to 10000`},
		{"refuse_load -1", `refuse_load: "-1" is out of range; write 0 to 10000`},
		{"count_by 24", `count_by: one prefix length; write both, such as 32 64`},
		{"count_by 7 64", `count_by: V4BITS: "7" is out of range; write 8 to 32`},
		{"count_by 32 129", `count_by: V6BITS: "129" is out of range; write 16 to 128`},
		{"nat64 192.0.2.0/24", `nat64: "192.0.2.0/24" is no such prefix; write an IPv6 prefix of /32, /40, /48, /56, /64 or /96`},
		{"nat64 2001:db8::/97", `nat64: "2001:db8::/97" is no such prefix; write an IPv6 prefix of /32, /40, /48, /56, /64 or /96`},
		{"nat64 64:ff9b::/96 2001:db8::1/96", `nat64: host bits set in "2001:db8::1/96"; write 2001:db8::/96 or 2001:db8::1`},
		{"nat64 off", `nat64: "off" is a name; write its address or network`},
		{"mode: observe", `unknown directive "mode:"; did you mean mode?`},
		{"mode:observe", `"mode:observe" is one word; write mode observe`},
		{"mode observing", `mode: "observing" is unknown; write enforce or observe`},
		{"ledger ledger", `ledger: "ledger" is not an absolute path; write its full path, from /`},
		{"ledger /l clients=1", `ledger: clients: "1" is out of range; write 1024 to 16777216`},
		{"ledger /l 4096", `ledger: "4096" is not KEY=VALUE; write clients=4096`},
		{"log file", `log: "file" is unknown; write syslog, stderr or none`},

		{"allow", `allow without a network; write allow NETWORK...`},
		{"deny all", `"all" is not a network; write 0.0.0.0/0 ::/0`},
		{"client any client_conns=1", `"any" is not a network; write one line for 0.0.0.0/0 and one for ::/0`},
		{"deny # all", `deny without a network; write deny NETWORK...`},
		{"allow 192.0.2.1/24", `host bits set in "192.0.2.1/24"; write 192.0.2.0/24 or 192.0.2.1`},
		{"allow ::ffff:192.0.2.0/120", `"::ffff:192.0.2.0/120" is IPv4-mapped; write its IPv4 form 192.0.2.0/24`},
		{"allow 192.0.2.0/24\ndeny 192.0.2.0/24", `F:2: deny of 192.0.2.0/24 contradicts allow at F:1; keep one of the two`},
		{"client", `client without a network; write client NETWORK KEY=VALUE...`},
		{"client client_rate=1/1s", `"client_rate=1/1s" is not a network; write a network such as 192.0.2.0/24 or 2001:db8::/32`},
		{"client 192.0.2.1", `nothing said about 192.0.2.1/32; write greet_delay=, client_rate=, client_conns=, bad_rcpts=, bad_rcpts_percent=, bad_rcpts_total=, max_rcpts=, max_resets= or bad_rcpt_delay=`},
		{"client 192.0.2.1 max_sessions=5", `unknown key "max_sessions"; write greet_delay=, client_rate=, client_conns=, bad_rcpts=, bad_rcpts_percent=, bad_rcpts_total=, max_rcpts=, max_resets= or bad_rcpt_delay=`},
		{"client 192.0.2.1 client_con=5", `unknown key "client_con"; did you mean client_conns?`},
		{"client 192.0.2.1 client_conns=5 client_conns=5", `client_conns is given twice; keep one`},
		{"client 192.0.2.1 client_conns=5 greet_delay=5", `greet_delay: no unit in "5"; write 5s`},
		{"client 192.0.2.1 client_conns=5\nclient 192.0.2.1 client_conns=6",
			`F:2: client_conns of 192.0.2.1/32 has another value at F:1; keep one of the two`},
		{`client "192.0.2.1`, `quoted word "192.0.2.1" does not end; write " at its end`},
		{`client 192.0.2.1 client_conns=5 "`, `quoted word "" does not end; write " at its end`},

		{"reserve 20", `reserve: "20" is not a percentage; write 20%`},
		{"reserve off", `reserve: "off" is not a percentage; write 0%`},
		{"reserve 95", `reserve: "95" is out of range; write 0% to 90%`},
		{"reserve 95%", `reserve: "95%" is out of range; write 0% to 90%`},
		{"reserve", `reserve: no value; write reserve N%`},
		{"include", `include: no file; write include FILE`},
		{"include a b", `include: "b" is one word too many; write one include for each file, and "..." around a name with blanks`},
		{`include "a`, `include: quoted word "a" does not end; write " at its end`},
		{`include a "`, `include: quoted word "" does not end; write " at its end`},

		{strings.Repeat("#", maxLine+1), `line of 65537 bytes; write several lines`},
		{strings.Repeat("x", maxLine), `unknown directive "` + strings.Repeat("x", 100) + `"...; remove it, or see sendwrap.conf(5)`},
	})
}

// mistake is a configuration whose last line is wrong, and the error without its place.
type mistake struct{ text, want string }

func mistakes(t *testing.T, tests []mistake) {
	for _, tt := range tests {
		name, _, _ := strings.Cut(tt.text, "\n")
		t.Run(fmt.Sprintf("%.40s", name), func(t *testing.T) {
			_, errs := load(t, tt.text)
			want := tt.want
			if !strings.HasPrefix(want, "F:") {
				want = "F:1: " + want
			}
			if len(errs) != 1 || errs[0] != want {
				t.Errorf("%.200q\n got %s\nwant %s", tt.text, strings.Join(errs, "\n     "), want)
			}
			if strings.Contains(tt.text, "\n") {
				return // the first line is right
			}
			held(t, tt.text)
		})
	}
}

// TestBounds takes each bound, and refuses what lies just beyond it.
func TestBounds(t *testing.T) {
	bounds(t, []bound{
		{"greet_delay %s", "0s", "290s", "-1ms", "290001ms"},
		{"greet_delay 100s stress=%s", "0s", "100s", "-1ms", "100001ms"},
		{"client 192.0.2.1 greet_delay=%s", "0", "290s", "-1ms", "290001ms"},
		{"client_rate %s/1m", "1", "65535", "0", "65536"},
		{"client_rate 1/%s", "1s", "24h", "999ms", "86400001ms"},
		{"client 192.0.2.1 client_rate=%s/1m", "1", "65535", "0", "65536"},
		{"client_conns %s", "0", "100000", "-1", "100001"},
		{"client 192.0.2.1 client_conns=%s", "0", "100000", "-1", "100001"},
		{"max_sessions %s", "1", "100000", "0", "100001"},
		{"reserve %s%%", "0", "90", "-1", "91"},
		{"max_waiting %s", "1", "1000000", "0", "1000001"},
		{"max_waiting 1 room=%s", "1", "1000000", "0", "1000001"},
		{"spawn_rate %s", "1", "10000", "0", "10001"},
		{"room_idle %s", "1s", "24h", "999ms", "25h"},
		{"refuse_load %s", "0", "10000", "-0.001", "10000.001"},
		{"count_by %s 64", "8", "32", "7", "33"},
		{"count_by 32 %s", "16", "128", "15", "129"},
		{"remember %s", "0s", "31d", "-1ms", "31d1ms"},
		{"ledger /l clients=%s", "1024", "16777216", "1023", "16777217"},
	})
}

// bound is what a line may hold in place of %s, and what is just too little and too much.
type bound struct{ format, least, most, below, above string }

func bounds(t *testing.T, tests []bound) {
	for _, tt := range tests {
		for _, right := range []string{tt.least, tt.most} {
			text := fmt.Sprintf(tt.format, right)
			c, errs := load(t, text)
			if errs != nil {
				t.Errorf("%s: %s", text, errs)
			}
			readsBack(t, c)
		}
		for _, wrong := range []string{tt.below, tt.above} {
			text := fmt.Sprintf(tt.format, wrong)
			if _, errs := load(t, text); len(errs) != 1 {
				t.Errorf("%s: errors %q; want one", text, errs)
			}
		}
	}
}

func TestNetworks(t *testing.T) {
	c, errs := load(t, `
allow 10.0.0.0/8 192.0.2.77/24 192.0.0.0/16 nonsense 198.51.100.1 "
deny 192.0.2.0/28
client 192.0.0.0/8 client_conns=9 greet_delay=9s
client 192.0.2.1 client_conns=0 client_rate=7/1h
`)
	want := []string{
		`F:2: host bits set in "192.0.2.77/24"; write 192.0.2.0/24 or 192.0.2.77`,
		`F:2: "nonsense" is a name; write its address or network`,
		`F:2: quoted word "" does not end; write " at its end`,
	}
	if !reflect.DeepEqual(errs, want) {
		t.Errorf("errors\n%s\nwant\n%s", strings.Join(errs, "\n"), strings.Join(want, "\n"))
	}
	m := c.Networks.Match(client)
	if m.Access != allowlist.Deny || m.Network.String() != "192.0.2.0/28" || m.Source.Line != 3 || !strings.HasPrefix(m.Source.File, "/") {
		t.Errorf("match %+v; want the deny of line 3", m)
	}
	var limits allowlist.Limits
	limits.SetCount(allowlist.ClientConns, 0)
	limits.SetTime(allowlist.GreetDelay, 9*time.Second)
	limits.SetRate(allowlist.ClientRate, allowlist.Rate{N: 7, Per: time.Hour})
	if m.Limits != limits {
		t.Errorf("limits %+v", m.Limits)
	}
	if n := c.Networks.Len(); n != 7 {
		t.Errorf("%d networks; want 7", n)
	}
	all := allowlist.All()
	if _, err := Load(write(t, "allow 10.0.0.0/8 nonsense 198.51.100.1"), all); err == nil {
		t.Error("no error")
	}
	for _, network := range []string{"10.255.0.1", "198.51.100.1"} { // on both sides of the wrong one
		if m := all.Match(mustAddr(network)); m.Access != allowlist.Allow {
			t.Errorf("%s: %+v; want allow", network, m)
		}
	}
}

// TestErrorListIsBounded: megabytes of nonsense end in at most 1,001 lines of no great length.
func TestErrorListIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"short lines": strings.Repeat("x\n", maxFile/2),
		"long words":  strings.Repeat(strings.Repeat("\x7f", maxLine-1)+"\n", maxFile/maxLine),
		"long lists":  strings.Repeat("allow"+strings.Repeat(" x", 30_000)+"\n", 40),
	} {
		t.Run(name, func(t *testing.T) {
			_, errs := load(t, text)
			size := 0
			for _, line := range errs {
				size += len(line)
			}
			if len(errs) > maxErrors+1 || size > 1<<20 {
				t.Errorf("%d errors of %d bytes", len(errs), size)
			}
			if len(errs) > maxErrors && !strings.HasSuffix(errs[maxErrors], " more errors; correct these first") {
				t.Errorf("the last is %q", errs[maxErrors])
			}
		})
	}
}

// TestOtherLinesCostNothing: a line about a network that does not hold the client
// allocates nothing, nor does one that says nothing.
func TestOtherLinesCostNothing(t *testing.T) {
	for _, format := range []string{
		"allow %s\n", "deny %s # spam\n", "\n", "# comment\n", "client %s greet_delay=1m30s client_rate=10/1m client_conns=5\n",
		"client %s bad_rcpts=5 bad_rcpts_percent=50 bad_rcpts_total=10/1h max_rcpts=9 max_resets=0 bad_rcpt_delay=1s\n",
	} {
		allocs := func(n int) float64 {
			path := write(t, manyLines(n, format))
			return testing.AllocsPerRun(20, func() {
				if _, err := Load(path, allowlist.For(client)); err != nil {
					t.Fatal(err)
				}
			})
		}
		if few, many := allocs(10), allocs(2000); many > few {
			t.Errorf("%q: %v allocations for 10 lines, %v for 2000", format, few, many)
		}
	}
}

func TestDurations(t *testing.T) {
	for _, tt := range []struct {
		text  string
		want  time.Duration
		print string
	}{
		{"0", 0, "0s"}, {"0s", 0, "0s"}, {"0d", 0, "0s"}, {"1ms", time.Millisecond, "1ms"}, {"90s", 90 * time.Second, "1m30s"},
		{"1.5s", 1500 * time.Millisecond, "1.5s"}, {"60m", time.Hour, "1h"}, {"1h30m", 90 * time.Minute, "1h30m"},
		{"24h", 24 * time.Hour, "24h"}, {"1d", 24 * time.Hour, "24h"}, {"1d12h", 36 * time.Hour, "36h"}, {"31d", 31 * 24 * time.Hour, "31d"},
		{"1h0m10s", time.Hour + 10*time.Second, "1h0m10s"}, {"10m", 10 * time.Minute, "10m"}, {"20h", 20 * time.Hour, "20h"},
		{"10000d", 10000 * 24 * time.Hour, "10000d"},
	} {
		got, err := ParseDuration(tt.text)
		if err != nil || got != tt.want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", tt.text, got, err, tt.want)
		}
		if s := FormatDuration(tt.want); s != tt.print {
			t.Errorf("FormatDuration(%v) = %s; want %s", tt.want, s, tt.print)
		}
	}
	_, err := ParseDuration("5")
	if err == nil || err.Error() != `no unit in "5"; write 5s` {
		t.Errorf("ParseDuration(5): %v", err)
	}
}

// TestInvalidChoice: a value that no constant has is printed, not indexed.
func TestInvalidChoice(t *testing.T) {
	if s := Action(9).String() + Mode(9).String() + LogTarget(9).String(); s != "invalidinvalidinvalid" {
		t.Error(s)
	}
}

// Default is the table's defaults, each of them.
func TestDefaultIsTheTables(t *testing.T) {
	parsed := new(Config)
	for _, d := range directives {
		if d.set == nil {
			continue
		}
		var args []string
		for w := (words{rest: d.Default}); w.next(); {
			args = append(args, w.word)
		}
		if err := d.set(parsed, args); err != nil {
			t.Errorf("%s %s: %v", d.Name, d.Default, err)
		}
	}
	if got := Default(); !reflect.DeepEqual(got, parsed) {
		t.Errorf("Default is\n%+v, the table says\n%+v", got, parsed)
	}
}

// What a log is told of a configuration with mistakes.
func TestTold(t *testing.T) {
	if lines := Told(nil, Skipped); lines != nil {
		t.Errorf("without a mistake: %q", lines)
	}
	_, missing := Load("/nowhere/at/all", allowlist.All())
	if lines := Told(missing, Skipped); len(lines) != 1 || lines[0] != missing.Error() {
		t.Errorf("without a file: %q", lines)
	}
	file := write(t, strings.Repeat("nonsense\n", 8))
	_, wrong := Load(file, allowlist.All())
	lines := Told(wrong, Skipped)
	if len(lines) != mostTold+1 || !strings.HasPrefix(lines[4], file+":5: ") || !strings.HasSuffix(lines[4], " (skipped)") ||
		lines[5] != "3 more wrong directives; run sendwrap check" {
		t.Errorf("told %q", lines)
	}
}
