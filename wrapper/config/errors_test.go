package config

import (
	"strings"
	"testing"

	"sendwrap/allowlist"
)

// TestErrors: each wrong line has its error, and sets nothing.
func TestErrors(t *testing.T) {
	mistakes(t, []mistake{
		{"delay 5s", `unknown directive "delay"; did you mean greet_delay?`},
		{"blacklist 192.0.2.9", `unknown directive "blacklist"; did you mean deny?`},
		{"greet_dealy 5s", `unknown directive "greet_dealy"; did you mean greet_delay?`},
		{"Greet-Delay 5s", `unknown directive "Greet-Delay"; did you mean greet_delay?`},
		{"x\ufeffmta /x",
			`invisible character (U+FEFF) in "x\ufeffmta"; remove it, or "..." around the word ` +
				`if it is meant`},
		{"listen 25", `unknown directive "listen"; remove it, or see sendwrap.conf(5)`},
		{"max_waiting=5", `"max_waiting=5" is one word; write max_waiting 5`},
		{"max_waitin=5", `unknown directive "max_waitin"; did you mean max_waiting?`},
		{"mode =", "mode: no value; write mode enforce|observe"},
		{"max_sessions 3 observe",
			"max_sessions: it cannot be observed alone; remove observe, or write mode observe"},
		{"greet_delay 3s observe",
			"greet_delay: it cannot be observed alone; remove observe, or write mode observe"},
		{"deny observe",
			"deny: it cannot be observed alone; remove observe, or write mode observe"},
		{"mode enforce observe",
			`mode: "observe" is one word too many; write mode enforce|observe`},
		{"client_conns fifty", `client_conns: "fifty" is not a number; write 0 to 100000`},
		{"max_waiting = 5", `max_waiting: = before the value; leave out the =`},
		{"max_waiting", `max_waiting: no value; write max_waiting N [room=N]`},
		{"max_waiting 5 6", `max_waiting: "6" is not KEY=VALUE; write room=6`},
		{"max_waiting 5 room=6 7",
			`max_waiting: "7" is one word too many; write max_waiting N [room=N]`},
		{"max_waiting 5 room=0", `max_waiting: room: "0" is out of range; write 1 to 1000000`},
		{"room_idle 0.5s", `room_idle: "0.5s" is out of range; write 1s to 24h`},
		{"room_idle 25h", `room_idle: "25h" is out of range; write 1s to 24h`},
		{"spawn_rate 0", `spawn_rate: "0" is out of range; write 1 to 10000`},
		{"max_waiting 5\nmax_waiting 5", `F:2: max_waiting: already set at F:1; keep one`},

		{`mta "/a`, `mta: quoted word "/a" has no closing quote; write " at its end`},
		{`mta "/a\`,
			`mta: backslash before a character other than " and \ in "/a\\"; write \\ for a ` +
				`backslash`},
		{`mta "/a\n"`,
			`mta: backslash before a character other than " and \ in "/a\\"; write \\ for a ` +
				`backslash`},
		{`mta "/a"b`, `mta: no blank after the quoted word "/a"; write one`},
		{`mta /a"b"`, `mta: quote inside the word "/a\""; write "..." around the whole word`},
		{"mta /a\x1bb", `mta: control character '\x1b'; remove it`},
		{"mta \"/a\x1bb\"", `mta: control character '\x1b'; remove it`},
		{"mta /a\rb", `mta: control character '\r'; remove it`},
		{`"mta`, `quoted word "mta" has no closing quote; write " at its end`},
		{"\x01", `control character '\x01'; remove it`},

		{"mta sendmail -bs",
			`mta: "sendmail" is not an absolute path; write its full path, from /`},
		{"mta /usr/sbin/", `mta: "/usr/sbin/" names a directory; write the path of a file`},
		{"greet_delay 5", `greet_delay: no unit in "5"; write 5s`},
		{"greet_delay 5 s", `greet_delay: no unit in "5"; write 5s`},
		{"greet_delay five",
			`greet_delay: "five" is not a time; write a number with ms, s, m, h or d, such as ` +
				`90s or 1h30m`},
		{"greet_delay off", `greet_delay: "off" is not a time; write 0s`},
		{"greet_delay None", `greet_delay: "None" is not a time; write 0s`},
		{"greet_delay 10s stress=no", `greet_delay: stress: "no" is not a time; write 0s`},
		{"remember never", `remember: "never" is not a time; write 0s`},
		{"room_idle never", `room_idle: "never" is not a time; write 0s`},
		{"greet_delay -5s",
			`greet_delay: "-5s" is not a time; write a number with ms, s, m, h or d, such as ` +
				`90s or 1h30m`},
		{"greet_delay d",
			`greet_delay: "d" is not a time; write a number with ms, s, m, h or d, such as 90s ` +
				`or 1h30m`},
		{`greet_delay ""`,
			`greet_delay: "" is not a time; write a number with ms, s, m, h or d, such as 90s ` +
				`or 1h30m`},
		{"greet_delay 1500us", `greet_delay: "1500us" is finer than 1ms; write whole milliseconds`},
		{"greet_delay 5m", `greet_delay: "5m" is out of range; write 0s to 4m50s`},
		{"greet_delay 99999999999d",
			`greet_delay: "99999999999d" is out of range; write 0s to 4m50s`},
		{"greet_delay 9999d9999999h",
			`greet_delay: "9999d9999999h" is out of range; write 0s to 4m50s`},
		{"greet_delay 9999d999999h",
			`greet_delay: "9999d999999h" is out of range; write 0s to 4m50s`},
		{"greet_delay 10s stress=11s",
			`greet_delay: stress: "11s" is out of range; write 0s to 10s`},
		{"greet_delay 10s 2s", `greet_delay: "2s" is not KEY=VALUE; write stress=2s`},
		{"greet_delay 10s stres=2s", `greet_delay: unknown key "stres"; did you mean stress?`},
		{"teaser 220-mx.example.org",
			`teaser: "220-mx.example.org" begins with the reply code; leave out 220, which ` +
				`sendwrap adds`},
		{"teaser " + strings.Repeat("x", 401), `teaser: 401 bytes; write at most 400`},
		{"teaser grüß", `teaser: "grüß" has other characters; write printable ASCII`},
		{`teaser ""`, `teaser: empty text; write off for none`},
		{"on_pregreet rejct", `on_pregreet: "rejct" is unknown; write reject, tempfail or drop`},
		{"on_denied reject", `on_denied: "reject" is unknown; write close or talk`},
		{"client_rate 10",
			`client_rate: "10" is not a rate; write N/DUR such as 10/1m, or 0 for no limit`},
		{"client_rate 10/60", `client_rate: no unit in "60"; write 60s`},
		{"client_rate 0/1m", `client_rate: "0" is out of range; write 1 to 65535`},
		{"client_conns many", `client_conns: "many" is not a number; write 0 to 100000`},
		{"client_conns off", `client_conns: "off" is not a plain number; write 0`},
		{"client_conns unlimited", `client_conns: "unlimited" is not a plain number; write 0`},
		{"client_rate off",
			`client_rate: "off" is not a rate; write N/DUR such as 10/1m, or 0 for no limit`},
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
		{"max_waiting 99999999999999999999k",
			`max_waiting: "99999999999999999999k" is out of range; write 1 to 1000000`},
		{"max_waiting off", `max_waiting: "off" is out of range; write 1 to 1000000`},
		{"ledger /l clients=64k", `ledger: clients: "64k" is not a plain number; write 64000`},
		{"refuse_load off", `refuse_load: "off" is not a plain number; write 0`},
		{"refuse_load nan", `refuse_load: "nan" is out of range; write 0 to 10000`},
		{"refuse_load -1", `refuse_load: "-1" is out of range; write 0 to 10000`},
		{"count_by 24", `count_by: one prefix length; write both, such as 32 64`},
		{"count_by 24 /64", `count_by: V6BITS: "/64" has a slash; write 64`},
		{"count_by 7 64", `count_by: V4BITS: "7" is out of range; write 8 to 32`},
		{"count_by 32 129", `count_by: V6BITS: "129" is out of range; write 16 to 128`},
		{"nat64 192.0.2.0/24",
			`nat64: "192.0.2.0/24" is not a NAT64 prefix; write an IPv6 prefix of /32, /40, ` +
				`/48, /56, /64 or /96`},
		{"nat64 2001:db8::/97",
			`nat64: "2001:db8::/97" is not a NAT64 prefix; write an IPv6 prefix of /32, /40, ` +
				`/48, /56, /64 or /96`},
		{"nat64 64:ff9b::/96 2001:db8::1/96",
			`nat64: host bits set in "2001:db8::1/96"; write 2001:db8::/96 or 2001:db8::1`},
		{"nat64 off", `nat64: "off" is a name; write its address or network`},
		{"mode: observe", `unknown directive "mode"; did you mean mode?`},
		{"mode:observe", `"mode:observe" is one word; write mode observe`},
		{"mode observing", `mode: "observing" is unknown; write enforce or observe`},
		{"ledger ledger", `ledger: "ledger" is not an absolute path; write its full path, from /`},
		{"ledger /l clients=1", `ledger: clients: "1" is out of range; write 1024 to 16777216`},
		{"ledger /l 4096", `ledger: "4096" is not KEY=VALUE; write clients=4096`},
		{"log file", `log: "file" is unknown; write syslog, stderr or none`},

		{"allow", `allow without a network or name; write allow NETWORK|NAME...`},
		{"deny all", `"all" is not a network; write 0.0.0.0/0 ::/0`},
		{"client any client_conns=1",
			`"any" is not a network; write one line for 0.0.0.0/0 and one for ::/0`},
		{"deny # all", `deny without a network or name; write deny NETWORK|NAME...`},
		{"allow 192.0.2.1/24", `host bits set in "192.0.2.1/24"; write 192.0.2.0/24 or 192.0.2.1`},
		{"allow ::ffff:192.0.2.0/120",
			`"::ffff:192.0.2.0/120" is IPv4-mapped; write its IPv4 form 192.0.2.0/24`},
		{"allow 192.0.2.0/24\ndeny 192.0.2.0/24",
			`F:2: deny of 192.0.2.0/24 contradicts allow at F:1; keep one of the two`},
		{"allow .example.org mx.example.org\ndeny MX.example.org.",
			`F:2: deny of mx.example.org contradicts allow at F:1; keep one of the two`},
		{"client .example.org client_conns=1\nclient .example.org client_conns=2",
			`F:2: client_conns of .example.org has another value at F:1; keep one of the two`},
		{"client .example.org greet_delay=0 bad_rcpts=9",
			`bad_rcpts is not for a name; write it for the client's network`},
		{"client .example.org",
			`no limits for .example.org; write greet_delay=, client_rate= or client_conns=`},
		{"client .example.org client_con=9",
			`unknown key "client_con"; did you mean client_conns?`},
		{".example.org", `".example.org" stands alone; write allow, deny or client before it`},
		{"client", `client without a network or name; write client NETWORK|NAME KEY=VALUE...`},
		{"client client_rate=1/1s",
			`"client_rate=1/1s" is not a network; write a network such as 192.0.2.0/24 or ` +
				`2001:db8::/32`},
		{"client 192.0.2.1",
			`no limits for 192.0.2.1/32; write greet_delay=, client_rate=, client_conns=, ` +
				`bad_rcpts=, bad_rcpts_percent=, bad_rcpts_total=, max_rcpts=, max_resets=, ` +
				`bad_rcpt_delay= or dnsbl=`},
		{"client 192.0.2.1 max_sessions=5",
			`unknown key "max_sessions"; write greet_delay=, client_rate=, client_conns=, ` +
				`bad_rcpts=, bad_rcpts_percent=, bad_rcpts_total=, max_rcpts=, max_resets=, ` +
				`bad_rcpt_delay= or dnsbl=`},
		{"client 192.0.2.1 client_con=5", `unknown key "client_con"; did you mean client_conns?`},
		{"client 192.0.2.1 client_conns=5 client_conns=5", `client_conns is given twice; keep one`},
		{"client 192.0.2.1 client_conns=5 greet_delay=5", `greet_delay: no unit in "5"; write 5s`},
		{"client 192.0.2.1 client_conns=5\nclient 192.0.2.1 client_conns=6",
			`F:2: client_conns of 192.0.2.1/32 has another value at F:1; keep one of the two`},
		{`client "192.0.2.1`, `quoted word "192.0.2.1" has no closing quote; write " at its end`},
		{`client 192.0.2.1 client_conns=5 "`,
			`quoted word "" has no closing quote; write " at its end`},

		{"reserve 20", `reserve: "20" is not a percentage; write 20%`},
		{"reserve off", `reserve: "off" is not a percentage; write 0%`},
		{"reserve 95", `reserve: "95" is out of range; write 0% to 90%`},
		{"reserve 95%", `reserve: "95%" is out of range; write 0% to 90%`},
		{"reserve", `reserve: no value; write reserve N%`},
		{"include", `include: no file; write include FILE`},
		{"include a b",
			`include: "b" is one word too many; write one include for each file, and "..." ` +
				`around a name with blanks`},
		{`include "a`, `include: quoted word "a" has no closing quote; write " at its end`},
		{`include a "`, `include: quoted word "" has no closing quote; write " at its end`},

		{strings.Repeat("#", maxLine+1), `line of 65537 bytes; split it into several lines`},
		{strings.Repeat("x", maxLine), `unknown directive "` + strings.Repeat("x", 100) +
			`"...; remove it, or see sendwrap.conf(5)`},
	})
}

// TestErrorListIsBounded: megabytes of nonsense yield at most 1,001 lines, none of them long.
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
			if len(errs) > maxErrors &&
				!strings.HasSuffix(errs[maxErrors], " more errors; correct these first") {
				t.Errorf("the last is %q", errs[maxErrors])
			}
		})
	}
}

func TestLogLines(t *testing.T) {
	if lines := LogLines(nil, LineSkipped); lines != nil {
		t.Errorf("without a mistake: %q", lines)
	}
	_, missing := Load("/nowhere/at/all", allowlist.All())
	if lines := LogLines(missing, LineSkipped); len(lines) != 1 || lines[0] != missing.Error() {
		t.Errorf("without a file: %q", lines)
	}
	file := write(t, strings.Repeat("nonsense\n", 8))
	_, err := Load(file, allowlist.All())
	lines := LogLines(err, LineSkipped)
	if len(lines) != maxLogLines+1 || !strings.HasPrefix(lines[4], file+":5: ") ||
		!strings.HasSuffix(lines[4], " (skipped)") ||
		lines[5] != "3 more wrong directives; run sendwrap check" {
		t.Errorf("lines %q", lines)
	}
}
