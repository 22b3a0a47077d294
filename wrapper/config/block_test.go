package config

import (
	"testing"
	"time"

	"sendwrap/wrapper/policy"
)

func TestBlockSettings(t *testing.T) {
	settings(t, []setting{
		// Only strikes are off: the guard and the administrator begin blocks all the same.
		{"block off", "block off", func(c *Config) { c.Block.Strikes = 0 }},
		{"block off, what else holds", "block off for=2h kill=off grace=0 max_entries=5",
			func(c *Config) {
				c.Block.Strikes, c.Block.For, c.Block.Kill, c.Block.Grace, c.Block.MaxEntries = 0,
					2*time.Hour, false, 0, 5
			}},
		{"block, some keys", "block max=2d strikes=1", func(c *Config) {
			c.Block.Strikes, c.Block.Max = 1, 48*time.Hour
		}},
		{"block, only what strikes do not matter to", "block kill=off", func(c *Config) {
			c.Block.Kill = false
		}},
		{"block, all keys",
			"block strikes=8 within=1h30m for=1d12h max=31d kill=off grace=10s max_entries=1",
			func(c *Config) {
				c.Block = policy.Block{Strikes: 8, Within: 90 * time.Minute, For: 36 * time.Hour,
					Max: 31 * 24 * time.Hour, Grace: 10 * time.Second, MaxEntries: 1}
			}},
		{"on_block", `on_block /usr/bin/nft-block "a b" off`, func(c *Config) {
			c.OnBlock = []string{"/usr/bin/nft-block", "a b", "off"}
		}},
		{"on_block alone", "on_block /x", func(c *Config) { c.OnBlock = []string{"/x"} }},
		{"on_block off", "on_block off", func(c *Config) {}},
	})
}

func TestBlockErrors(t *testing.T) {
	const keys = "write strikes=, within=, for=, max=, kill=, grace= or max_entries="
	mistakes(t, []mistake{
		{"block on", `block: "on" is not KEY=VALUE; ` + keys},
		{"block none", `block: "none" is not KEY=VALUE; write off`},
		{"block 0", `block: "0" is not KEY=VALUE; write off`},
		{"block within=off",
			`block: within: "off" is not a time; write a number with ms, s, m, h or d, such as ` +
				`90s or 1h30m`},
		{"block off strikes=3", `block: strikes= together with off; leave out one of the two`},
		{"block off kill=on within=3m",
			`block: within= together with off; leave out one of the two`},
		{"block strikes=3 off", `block: "off" is not KEY=VALUE; ` + keys},
		{"block off off", `block: "off" is not KEY=VALUE; ` + keys},
		{"block strikes=0", `block: strikes: "0" is out of range; write 1 to 8`},
		{"block strikes=3 strikes=4", `block: strikes is given twice; keep one`},
		{"block time=1h", `block: unknown key "time"; ` + keys},
		{"block max_entrys=5", `block: unknown key "max_entrys"; did you mean max_entries?`},
		{"block for=2d", `block: for=2d is longer than max=24h; write max=2d or a shorter for`},
		{"block off for=2d", `block: for=2d is longer than max=24h; write max=2d or a shorter for`},
		{"block within=25h", `block: within: "25h" is out of range; write 1s to 24h`},
		{"block kill=yes", `block: kill: "yes" is unknown; write on`},
		{"block kill=never", `block: kill: "never" is unknown; write off`},
		{"block kill=", `block: kill: "" is unknown; write on or off`},
		{"block grace=2", `block: grace: no unit in "2"; write 2s`},
		{"block grace=off", `block: grace: "off" is not a time; write 0s`},
		{"block max_entries=10k", `block: max_entries: "10k" is not a plain number; write 10000`},
		{"block max_entries=unlimited",
			`block: max_entries: "unlimited" is out of range; write 1 to 1000000`},

		{"on_block nft", `on_block: "nft" is not an absolute path; write its full path, from /`},
		{"on_block none", `on_block: "none" is not a program; write off`},
		{"on_block off off",
			`on_block: "off" is not an absolute path; write its full path, from /`},
		{"on_block /etc/", `on_block: "/etc/" names a directory; write the path of a file`},
		{"on_block", `on_block: no value; write on_block PROGRAM ARG...`},
	})
}

func TestBlockBounds(t *testing.T) {
	bounds(t, []bound{
		{"block strikes=%s", "1", "8", "0", "9"},
		{"block within=%s", "1s", "24h", "999ms", "24h0.001s"},
		{"block max=31d for=%s", "1s", "31d", "999ms", "31d1ms"},
		{"block for=1s max=%s", "1s", "31d", "999ms", "31d1ms"},
		{"block grace=%s", "0s", "60s", "-1ms", "60001ms"},
		{"block off grace=%s", "0s", "60s", "-1ms", "60001ms"},
		{"block max_entries=%s", "1", "1000000", "0", "1000001"},
	})
}
