package config

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

func TestSettings(t *testing.T) {
	settings(t, []setting{
		{"nothing", "", func(c *Config) {}},
		{"blanks and comments", " \t\n# mta x\n\t # y\n#mta\n", func(c *Config) {}},
		{"mta", "mta /usr/sbin/exim -bs", func(c *Config) {
			c.MTA = []string{"/usr/sbin/exim", "-bs"}
		}},
		{"mta alone", "mta /x", func(c *Config) { c.MTA = []string{"/x"} }},
		{"mta of many words", "mta /x a b c d e f g h i j k", func(c *Config) {
			c.MTA = strings.Fields("/x a b c d e f g h i j k")
		}},
		{"a backslash or an odd blank that is meant", `mta /a "b\\" "c\\"` + " \"d\u00a0e\"",
			func(c *Config) { c.MTA = []string{"/a", `b\`, `c\`, "d\u00a0e"} }},
		{"a backslash before a comment", `mta /a \ # b`, func(c *Config) {
			c.MTA = []string{"/a", `\`}
		}},
		{"quotes", `mta "/a b" "" "\"" "\\" "#" "x	y" # z`, func(c *Config) {
			c.MTA = []string{"/a b", "", `"`, `\`, "#", "x\ty"}
		}},
		{"escapes among blanks", `mta "/a \\ b" "a \"b\""`, func(c *Config) {
			c.MTA = []string{`/a \ b`, `a "b"`}
		}},
		{"backslash and # within a word", `mta /a\b#c`, func(c *Config) {
			c.MTA = []string{`/a\b#c`}
		}},
		{"UTF-8 and other bytes", "mta /é \xff", func(c *Config) {
			c.MTA = []string{"/é", "\xff"}
		}},
		{"comment after words", "client_conns 7 # as agreed", func(c *Config) {
			c.ClientConns = 7
		}},
		{"BOM", "\ufeffclient_conns 7\n\ufeff\n\ufeffmode observe", func(c *Config) {
			c.ClientConns, c.Mode = 7, policy.Observe
		}},
		{"nat64", "nat64 2001:db8:64::/96 64:ff9b::/96 2001:db8::/32", func(c *Config) {
			c.NAT64 = append(c.NAT64, netip.MustParsePrefix("2001:db8:64::/96"),
				netip.MustParsePrefix("2001:db8::/32"))
		}},
		{"CRLF", "client_conns 7\r\n\r\nmode observe\r\n", func(c *Config) {
			c.ClientConns, c.Mode = 7, policy.Observe
		}},
		{"tabs", "\tclient_conns\t\t7\t", func(c *Config) { c.ClientConns = 7 }},
		{"quoted directive", `"client_conns" "7"`, func(c *Config) { c.ClientConns = 7 }},

		{"greet_delay", "greet_delay 10s", func(c *Config) { c.GreetDelay = 10 * time.Second }},
		{"greet_delay and stress", "greet_delay 10s stress=0s", func(c *Config) {
			c.GreetDelay, c.StressDelay = 10*time.Second, 0
		}},
		{"stress is no longer than a short delay", "greet_delay 500ms",
			func(c *Config) {
				c.GreetDelay, c.StressDelay = 500*time.Millisecond, 500*time.Millisecond
			}},
		{"no delay", "greet_delay 0", func(c *Config) { c.GreetDelay, c.StressDelay = 0, 0 }},
		{"teaser", "teaser mx.example.org  ESMTP", func(c *Config) {
			c.Teaser = "mx.example.org ESMTP"
		}},
		{"teaser in quotes", `teaser "mx.example.org  ESMTP"`, func(c *Config) {
			c.Teaser = "mx.example.org  ESMTP"
		}},
		{"on_pregreet tempfail", "on_pregreet tempfail", func(c *Config) {
			c.OnPregreet = policy.Tempfail
		}},
		{"on_pregreet drop", "on_pregreet drop", func(c *Config) { c.OnPregreet = policy.Drop }},
		{"on_denied talk", "on_denied talk", func(c *Config) { c.OnDenied = policy.Talk }},
		{"client_rate", "client_rate 30/1m", func(c *Config) {
			c.ClientRate = rule.Rate{N: 30, Per: time.Minute}
		}},
		{"max_waiting holds in the room too", "max_waiting 7", func(c *Config) {
			c.MaxWaiting, c.RoomWaiting = 7, 7
		}},
		{"max_waiting in the room", "max_waiting 7 room=9", func(c *Config) {
			c.MaxWaiting, c.RoomWaiting = 7, 9
		}},
		{"spawn_rate", "spawn_rate 7", func(c *Config) { c.SpawnRate = 7 }},
		{"max_idle", "max_idle 90s", func(c *Config) { c.MaxIdle = 90 * time.Second }},
		{"max_idle never", "max_idle 0", func(c *Config) { c.MaxIdle = 0 }},
		{"room_idle", "room_idle 90s", func(c *Config) { c.RoomIdle = 90 * time.Second }},
		{"room_idle never", "room_idle 0", func(c *Config) { c.RoomIdle = 0 }},
		{"refuse_load", "refuse_load 12.5", func(c *Config) { c.RefuseLoad = 12.5 }},
		{"count_by", "count_by 24 48",
			func(c *Config) { c.CountBy = policy.Widths{V4: 24, V6: 48} }},
		{"remember days", "remember 7d", func(c *Config) { c.Remember = 7 * 24 * time.Hour }},
		{"remember never", "remember 0", func(c *Config) { c.Remember = 0 }},
		{"ledger", "ledger /run/l", func(c *Config) { c.Ledger.Path = "/run/l" }},
		{"ledger and clients", "ledger /run/l clients=4096", func(c *Config) {
			c.Ledger = policy.Ledger{Path: "/run/l", Clients: 4096}
		}},
		{"log", "log stderr", func(c *Config) { c.Log = policy.Stderr }},
		{"log none", "log none", func(c *Config) { c.Log = policy.None }},
	})
}

// TestBounds: each bound is accepted, and the next value beyond it refused.
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

// TestInvalidChoice: a value without a constant is printed and causes no panic.
func TestInvalidChoice(t *testing.T) {
	if s := policy.Action(9).String() + policy.Mode(9).String() +
		policy.LogTarget(9).String(); s != "invalidinvalidinvalid" {
		t.Error(s)
	}
}

// TestDefaultIsTheTables: Default has the defaults of the table.
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
