package config

import (
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

func TestGuardSettings(t *testing.T) {
	unix := func(path string) policy.Listen { return policy.Listen{Network: "unix", Address: path} }
	tcp := func(address string) policy.Listen {
		return policy.Listen{Network: "tcp", Address: address}
	}
	longest := "/" + strings.Repeat("x", 106)
	settings(t, []setting{
		{"bad_rcpts", "bad_rcpts 5", func(c *Config) { c.BadRcpts = 5 }},
		{"bad_rcpts_percent", "bad_rcpts_percent 50", func(c *Config) { c.BadRcptsPercent = 50 }},
		{"bad_rcpts_total", "bad_rcpts_total 255/24h", func(c *Config) {
			c.BadRcptsTotal = rule.Rate{N: 255, Per: 24 * time.Hour}
		}},
		{"bad_rcpts_total none", "bad_rcpts_total 0", func(c *Config) {
			c.BadRcptsTotal = rule.Rate{}
		}},
		{"max_rcpts", "max_rcpts 100", func(c *Config) { c.MaxRcpts = 100 }},
		{"max_resets", "max_resets 0", func(c *Config) { c.MaxResets = 0 }},
		{"bad_rcpt_delay", "bad_rcpt_delay 2.5s", func(c *Config) {
			c.BadRcptDelay = 2500 * time.Millisecond
		}},
		{"guard_auth on", "guard_auth on", func(c *Config) { c.GuardAuth = true }},
		{"guard_auth off", "guard_auth off", func(c *Config) {}},

		{"guard_listen unix", "guard_listen unix:/run/g", func(c *Config) {
			c.GuardListen = unix("/run/g")
		}},
		{"guard_listen unix, longest path", "guard_listen unix:" + longest, func(c *Config) {
			c.GuardListen = unix(longest)
		}},
		{"guard_listen unix, blanks in it", `guard_listen "unix:/run/a b"`, func(c *Config) {
			c.GuardListen = unix("/run/a b")
		}},
		{"guard_listen owner", "guard_listen unix:/run/g owner=smmta", func(c *Config) {
			c.GuardListen = policy.Listen{Network: "unix", Address: "/run/g", Owner: "smmta"}
		}},
		{"guard_listen owner by number", "guard_listen unix:/run/g owner=101", func(c *Config) {
			c.GuardListen = policy.Listen{Network: "unix", Address: "/run/g", Owner: "101"}
		}},
		{"guard_listen IPv4", "guard_listen 127.0.0.1:8891", func(c *Config) {
			c.GuardListen = tcp("127.0.0.1:8891")
		}},
		{"guard_listen IPv6", "guard_listen [::1]:1", func(c *Config) {
			c.GuardListen = tcp("[::1]:1")
		}},
		{"guard_listen IPv6, long", "guard_listen [0:0:0:0:0:0:0:1]:8891", func(c *Config) {
			c.GuardListen = tcp("[::1]:8891")
		}},
		{"guard_listen link-local", "guard_listen [fe80::1%eth0]:8891", func(c *Config) {
			c.GuardListen = tcp("[fe80::1%eth0]:8891")
		}},
		{"guard_listen zone of many words", `guard_listen "[fe80::1%a \"b]:1"`, func(c *Config) {
			c.GuardListen = tcp(`[fe80::1%a "b]:1`)
		}},
		{"guard_listen all", "guard_listen 0.0.0.0:65535", func(c *Config) {
			c.GuardListen = tcp("0.0.0.0:65535")
		}},

		{"transcript", "transcript /var/log/sendwrap", func(c *Config) {
			c.Transcript = policy.Transcript{Dir: "/var/log/sendwrap", Max: 10 << 20}
		}},
		{"transcript as a directory is often written", "transcript /var//log/sendwrap/",
			func(c *Config) {
				c.Transcript = policy.Transcript{Dir: "/var/log/sendwrap", Max: 10 << 20}
			}},
		{"transcript and max", `transcript "/a b" max=1536k`, func(c *Config) {
			c.Transcript = policy.Transcript{Dir: "/a b", Max: 1536 << 10}
		}},
		{"transcript in G", "transcript /t max=1G", func(c *Config) {
			c.Transcript = policy.Transcript{Dir: "/t", Max: 1 << 30}
		}},
		{"transcript, as many k as a M", "transcript /t max=2048k", func(c *Config) {
			c.Transcript = policy.Transcript{Dir: "/t", Max: 2 << 20}
		}},
		{"transcript off", "transcript off", func(c *Config) {}},
	})
}

func TestGuardErrors(t *testing.T) {
	const notSocketHint = "; write unix:PATH or ADDRESS:PORT, such as 127.0.0.1:8891 or [::1]:8891"
	mistakes(t, []mistake{
		{"bad_rcpts off", `bad_rcpts: "off" is not a plain number; write 0`},
		{"bad_rcpts 1k", `bad_rcpts: "1k" is not a plain number; write 1000`},
		{"bad_rcpts 3 percent=50",
			`bad_rcpts: "percent=50" is one word too many; write bad_rcpts N [observe]`},
		{"bad_rcpt 3", `unknown directive "bad_rcpt"; did you mean bad_rcpts?`},
		{"bad_rcpts_percent 50%", `bad_rcpts_percent: "50%" is not a plain number; write 50`},
		{"bad_rcpts_percent 500%", `bad_rcpts_percent: "500%" is out of range; write 0 to 100`},
		{"bad_rcpts_percent 0.5", `bad_rcpts_percent: "0.5" is out of range; write 0 to 100`},
		{"bad_rcpts_percent off", `bad_rcpts_percent: "off" is not a plain number; write 0`},
		{"bad_rcpts_total 10",
			`bad_rcpts_total: "10" is not a rate; write N/DUR such as 10/1m, or 0 for no limit`},
		{"bad_rcpts_total none",
			`bad_rcpts_total: "none" is not a rate; write N/DUR such as 10/1m, or 0 for no limit`},
		{"bad_rcpts_total 300/1h", `bad_rcpts_total: "300" is out of range; write 1 to 255`},
		{"bad_rcpts_total 10/1", `bad_rcpts_total: no unit in "1"; write 1s`},
		{"max_rcpts unlimited", `max_rcpts: "unlimited" is not a plain number; write 0`},
		{"max_rcpts 1k", `max_rcpts: "1k" is not a plain number; write 1000`},
		{"max_resets off", `max_resets: "off" is not a plain number; write 0`},
		{"bad_rcpt_delay 1", `bad_rcpt_delay: no unit in "1"; write 1s`},
		{"bad_rcpt_delay off", `bad_rcpt_delay: "off" is not a time; write 0s`},
		{"bad_rcpt_delay 10s", `bad_rcpt_delay: "10s" is out of range; write 0s to 5s`},
		{"guard_auth yes", `guard_auth: "yes" is unknown; write on`},
		{"guard_auth ON", `guard_auth: "ON" is unknown; write on`},
		{"guard_auth 0", `guard_auth: "0" is unknown; write off`},
		{"guard_auth No", `guard_auth: "No" is unknown; write off`},
		{"guard_auth maybe", `guard_auth: "maybe" is unknown; write on or off`},

		{"guard_listen",
			`guard_listen: no value; write guard_listen unix:PATH [owner=USER] | ADDRESS:PORT`},
		{"guard_listen unix:run/g",
			`guard_listen: "run/g" is not an absolute path; write its full path, from /`},
		{"guard_listen unix:",
			`guard_listen: "" is not an absolute path; write its full path, from /`},
		{"guard_listen unix:/run/",
			`guard_listen: "/run/" names a directory; write the path of a file`},
		{"guard_listen unix:@guard",
			`guard_listen: "unix:@guard" is an abstract socket, which anyone can open; write ` +
				`the path of a file`},
		{"guard_listen unix:/" + strings.Repeat("x", 107),
			`guard_listen: path of 108 bytes; write at most 107`},
		{"guard_listen /run/g", `guard_listen: "/run/g" is a path; write unix:/run/g`},
		{"guard_listen unix:/run/g smmta",
			`guard_listen: "smmta" is not KEY=VALUE; write owner=smmta`},
		{"guard_listen unix:/run/g user=smmta", `guard_listen: unknown key "user"; write owner=`},
		{"guard_listen unix:/run/g owner=", `guard_listen: owner: no user; write owner=USER`},
		{"guard_listen unix:/run/g owner=:mail", `guard_listen: owner: no user; write owner=USER`},
		{"guard_listen unix:/run/g owner=smmta:mail",
			`guard_listen: owner: "smmta:mail" names a group too; write owner=smmta`},
		{"guard_listen 127.0.0.1:8891 owner=smmta",
			`guard_listen: owner: only a unix socket has an owner; leave it out`},
		{"guard_listen unix:/run/g [::1]:8891",
			`guard_listen: "[::1]:8891" is not KEY=VALUE; write owner=`},
		// The spellings of sendmail.mc and of Postfix.
		{"guard_listen local:/run/g",
			`guard_listen: "local:/run/g" is the spelling of another program; write unix:/run/g`},
		{"guard_listen inet:8891@127.0.0.1",
			`guard_listen: "inet:8891@127.0.0.1" is the spelling of another program; write ` +
				`127.0.0.1:8891`},
		{"guard_listen inet:8891@localhost",
			`guard_listen: "inet:8891@localhost" is the spelling of another program; write ` +
				`127.0.0.1:8891`},
		{"guard_listen inet:8891@mx.example.org",
			`guard_listen: "inet:8891@mx.example.org" is the spelling of another program; write ` +
				`ADDRESS:8891`},
		{"guard_listen inet:8891",
			`guard_listen: "inet:8891" is the spelling of another program; write 127.0.0.1:8891`},
		{"guard_listen inet:smtp@127.0.0.1",
			`guard_listen: "inet:smtp@127.0.0.1" is the spelling of another program; write ` +
				`127.0.0.1:PORT`},
		{"guard_listen inet6:8891@::1",
			`guard_listen: "inet6:8891@::1" is the spelling of another program; write [::1]:8891`},
		{"guard_listen inet6:8891@[2001:db8::1]",
			`guard_listen: "inet6:8891@[2001:db8::1]" is the spelling of another program; write ` +
				`[2001:db8::1]:8891`},
		{"guard_listen inet6:8891@localhost",
			`guard_listen: "inet6:8891@localhost" is the spelling of another program; write ` +
				`[::1]:8891`},
		{"guard_listen inet:127.0.0.1:8891",
			`guard_listen: "inet:127.0.0.1:8891" is the spelling of another program; write ` +
				`127.0.0.1:8891`},
		{"guard_listen inet:[::1]:8891",
			`guard_listen: "inet:[::1]:8891" is the spelling of another program; write [::1]:8891`},
		{"guard_listen tcp:localhost:8891",
			`guard_listen: "tcp:localhost:8891" is the spelling of another program; write ` +
				`127.0.0.1:8891`},

		{"guard_listen localhost:8891",
			`guard_listen: "localhost" is a name, not an address; write 127.0.0.1:8891`},
		{"guard_listen mx.example.org:8891",
			`guard_listen: "mx.example.org" is a name, not an address; write ADDRESS:8891`},
		{"guard_listen 127.0.0.1",
			`guard_listen: no port in "127.0.0.1"; write 127.0.0.1:PORT, such as 127.0.0.1:8891`},
		{"guard_listen 127.0.0.1:",
			`guard_listen: no port in "127.0.0.1:"; write 127.0.0.1:PORT, such as 127.0.0.1:8891`},
		{"guard_listen 127.0.0.1:0",
			`guard_listen: wrong port in "127.0.0.1:0"; write 1 to 65535 after the last colon`},
		{"guard_listen 127.0.0.1:65536",
			`guard_listen: wrong port in "127.0.0.1:65536"; write 1 to 65535 after the last colon`},
		{"guard_listen [::1]:smtp",
			`guard_listen: wrong port in "[::1]:smtp"; write 1 to 65535 after the last colon`},
		{"guard_listen ::1",
			`guard_listen: no port in "::1"; write [ADDRESS]:PORT, such as [::1]:8891`},
		{"guard_listen [::1]",
			`guard_listen: no port in "[::1]"; write [ADDRESS]:PORT, such as [::1]:8891`},
		// This is an address, too.
		{"guard_listen ::1:8891",
			`guard_listen: no port in "::1:8891"; write [ADDRESS]:PORT, such as [::1]:8891`},
		{"guard_listen [::ffff:127.0.0.1]:8891",
			`guard_listen: "[::ffff:127.0.0.1]:8891" is IPv4-mapped; write its IPv4 form ` +
				`127.0.0.1:8891`},
		{"guard_listen 8891", `guard_listen: no address in "8891"; write 127.0.0.1:8891`},
		{"guard_listen :8891", `guard_listen: no address in ":8891"; write 127.0.0.1:8891`},
		{"guard_listen *:8891", `guard_listen: no address in "*:8891"; write 127.0.0.1:8891`},
		{"guard_listen off", `guard_listen: "off" is not a socket` + notSocketHint},
		{"guard_listen localhost", `guard_listen: "localhost" is not a socket` + notSocketHint},
		{"guard_listen fd:3:4", `guard_listen: "fd:3:4" is not a socket` + notSocketHint},
		{"guard_listen /" + strings.Repeat("x", 200), `guard_listen: "/` + strings.Repeat("x", 99) +
			`"... is not a socket` + notSocketHint},
		{`guard_listen ""`, `guard_listen: "" is not a socket` + notSocketHint},

		{"transcript log",
			`transcript: "log" is not an absolute path; write its full path, from /`},
		{"transcript none", `transcript: "none" is not a directory; write off`},
		{"transcript 0", `transcript: "0" is not a directory; write off`},
		{`transcript ""`, `transcript: "" is not an absolute path; write its full path, from /`},
		{"transcript /",
			`transcript: "/" has other files; write a directory of its own, such as ` +
				`/var/log/sendwrap`},
		{"transcript /t/..",
			`transcript: "/t/.." has other files; write a directory of its own, such as ` +
				`/var/log/sendwrap`},
		{"transcript /t 5M", `transcript: "5M" is not KEY=VALUE; write max=5M`},
		{"transcript off max=5M",
			`transcript: "off" is not an absolute path; write its full path, from /`},
		{"transcript /t max=10",
			`transcript: max: no unit in "10"; write k, M or G after it, such as 10M`},
		{"transcript /t max=10MB",
			`transcript: max: "10MB" is not a size; write a whole number with k, M or G, such ` +
				`as 10M`},
		{"transcript /t max=1.5G",
			`transcript: max: "1.5G" is not a size; write a whole number with k, M or G, such ` +
				`as 10M`},
		{"transcript /t max=M",
			`transcript: max: "M" is not a size; write a whole number with k, M or G, such as 10M`},
		{"transcript /t max=63k", `transcript: max: "63k" is out of range; write 64k to 1G`},
		{"transcript /t max=4294967295G",
			`transcript: max: "4294967295G" is out of range; write 64k to 1G`},
		{"transcript /t max=99999999999999999999k",
			`transcript: max: "99999999999999999999k" is not a size; write a whole number with ` +
				`k, M or G, such as 10M`},

		{"client 192.0.2.1 bad_rcpts=off", `bad_rcpts: "off" is not a plain number; write 0`},
		{"client 192.0.2.1 bad_rcpts_percent=50%",
			`bad_rcpts_percent: "50%" is not a plain number; write 50`},
		{"client 192.0.2.1 bad_rcpts_total=256/1h",
			`bad_rcpts_total: "256" is out of range; write 1 to 255`},
		{"client 192.0.2.1 guard_auth=on", `unknown key "guard_auth"; write ` + clientKeyList},
		{"client 192.0.2.1 max_resets=5\nclient 192.0.2.1 max_resets=0",
			`F:2: max_resets of 192.0.2.1/32 has another value at F:1; keep one of the two`},
	})
}

const clientKeyList = "greet_delay=, client_rate=, client_conns=, bad_rcpts=, " +
	"bad_rcpts_percent=, bad_rcpts_total=, " +
	"max_rcpts=, max_resets=, bad_rcpt_delay= or dnsbl="

// TestOfferedSockets: guard_listen accepts what its errors offer.
func TestOfferedSockets(t *testing.T) {
	for _, text := range []string{
		"local:/run/g", "/run/g", "inet:8891@127.0.0.1", "inet:8891@localhost", "inet:8891",
		"inet6:8891@::1", "inet6:8891@[2001:db8::1]",
		"inet6:8891", "inet:[::1]:8891", "tcp:localhost:8891", "localhost:8891",
		"[::ffff:127.0.0.1]:8891", "8891", ":8891", "[]:8891",
	} {
		_, err := parseListen(text)
		e, ok := err.(*Error)
		if !ok {
			t.Errorf("%s: %v; want an *Error", text, err)
			continue
		}
		words := strings.Fields(e.Hint)
		if _, err := parseListen(words[len(words)-1]); err != nil {
			t.Errorf("%s: %v, but that: %v", text, e, err)
		}
	}
}

func TestGuardBounds(t *testing.T) {
	bounds(t, []bound{
		{"bad_rcpts %s", "0", "1000", "-1", "1001"},
		{"client 192.0.2.1 bad_rcpts=%s", "0", "1000", "-1", "1001"},
		{"bad_rcpts_percent %s", "0", "100", "-1", "101"},
		{"client 192.0.2.1 bad_rcpts_percent=%s", "0", "100", "-1", "101"},
		{"bad_rcpts_total %s/1m", "1", "255", "0", "256"},
		{"bad_rcpts_total 1/%s", "1s", "24h", "999ms", "86400001ms"},
		{"client 192.0.2.1 bad_rcpts_total=%s/1m", "1", "255", "0", "256"},
		{"max_rcpts %s", "0", "100000", "-1", "100001"},
		{"client 192.0.2.1 max_rcpts=%s", "0", "100000", "-1", "100001"},
		{"max_resets %s", "0", "10000", "-1", "10001"},
		{"client 192.0.2.1 max_resets=%s", "0", "10000", "-1", "10001"},
		{"bad_rcpt_delay %s", "0s", "5s", "-1ms", "5001ms"},
		{"client 192.0.2.1 bad_rcpt_delay=%s", "0", "5s", "-1ms", "5001ms"},
		{"guard_listen 127.0.0.1:%s", "1", "65535", "0", "65536"},
		{"transcript /t max=%s", "64k", "1G", "63k", "1048577k"},
	})
}
