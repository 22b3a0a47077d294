package config

import (
	"path/filepath"
	"testing"
	"time"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

func TestWide(t *testing.T) {
	settings(t, []setting{
		{"one", "wide 24 48 strikes=8 client_conns=200", func(c *Config) {
			c.Wide = []policy.Wide{
				{Widths: policy.Widths{V4: 24, V6: 48}, ClientConns: 200, Strikes: 8}}
		}},
		{"the narrower first; count_by comes after", "wide 16 32 bad_rcpts_total=9/1h\n" +
			"wide 20 48 client_rate=600/1m client_conns=0\ncount_by 24 56\n", func(c *Config) {
			c.CountBy = policy.Widths{V4: 24, V6: 56}
			c.Wide = []policy.Wide{
				{Widths: policy.Widths{V4: 20, V6: 48},
					ClientRate: rule.Rate{N: 600, Per: time.Minute}},
				{Widths: policy.Widths{V4: 16, V6: 32},
					BadRcptsTotal: rule.Rate{N: 9, Per: time.Hour}},
			}
		}},
	})
	bounds(t, []bound{
		{"wide %s 48 strikes=3", "8", "31", "7", "32"},
		{"wide 24 %s strikes=3", "16", "63", "15", "64"},
		{"count_by 32 128\nwide 24 %s strikes=3", "16", "127", "15", "128"},
		{"wide 24 48 strikes=%s", "1", "8", "0", "9"},
		{"wide 24 48 client_conns=%s", "1", "100000", "0", "100001"},
		{"wide 24 48 client_rate=%s/1h", "1", "65535", "0", "65536"},
		{"wide 24 48 bad_rcpts_total=%s/1h", "1", "255", "0", "256"},
	})
}

func TestWideMistakes(t *testing.T) {
	mistakes(t, []mistake{
		{"wide 24 48", "wide: no limit; write both prefix lengths and limits, such as " +
			"wide 24 48 client_conns=200"},
		{"wide 24 client_conns=3 strikes=1",
			`wide: V6BITS: "client_conns=3" is out of range; write 16 to 127`},
		{"wide /24 48 strikes=3", `wide: V4BITS: "/24" has a slash; write 24`},
		{"wide 24 48 client_con=3",
			`wide: unknown key "client_con"; did you mean client_conns?`},
		{"wide 24 48 client_conns=0 strikes=0",
			"wide: all limits are 0, which is none; remove the line"},
		{`wide 24 48 strikes=1 "`,
			`wide: quoted word "" has no closing quote; write " at its end`},
		{"wide 24 48 client_rate=9",
			`wide: client_rate: "9" is not a rate; write N/DUR such as 10/1m, or 0 for no limit`},
		{"wide 24 64 strikes=3", "wide: 24 64 is not wider than count_by 32 64 in both families; " +
			"write a number below 32 and one below 64"},
		{"count_by 24 56\nwide 24 48 strikes=3", "F:2: wide: 24 48 is not wider than " +
			"count_by 24 56 in both families; write a number below 24 and one below 56"},
		{"wide 24 48 strikes=3\nwide 16 48 strikes=3", "F:2: wide: 16 48 is not wider than " +
			"24 48 at F:1 in both families; write a number below 24 and one below 48"},
		{"wide 24 48 strikes=3\nwide 24 48 strikes=3", "F:2: wide: 24 48 is not wider than " +
			"24 48 at F:1 in both families; write a number below 24 and one below 48"},
		{"wide 24 48 strikes=3\nwide 16 32 strikes=3\nwide 8 16 strikes=3",
			"F:3: wide: already set at F:1 and F:2; remove one"},
	})
}

func TestAccess(t *testing.T) {
	path := write(t, "")
	settings(t, []setting{
		{"map", "access " + path, func(c *Config) { c.AccessMap = path }},
		{"off", "access off", func(*Config) {}},
	})
	mistakes(t, []mistake{
		{"access none", `access: "none" is not a file; write off`},
		{"access hash:/etc/mail/access", `access: "hash:/etc/mail/access" begins with the type ` +
			"of a database; write access /etc/mail/access"},
		{"access /etc/mail/access.db", `access: "/etc/mail/access.db" is the compiled map; ` +
			"write /etc/mail/access, the text that makemap reads"},
		{"remember_after mai", `remember_after: "mai" is unknown; write wait or mail`},
	})
}

// TestAccessPath: a relative name is relative to the file that has the line.
func TestAccessPath(t *testing.T) {
	path := write(t, "include sub/more\n")
	dir := filepath.Dir(path)
	writeAs(t, filepath.Join(dir, "sub", "more"), "access \"the map\"\n")
	writeAs(t, filepath.Join(dir, "sub", "the map"), "")
	c, err := Load(path, allowlist.For(client))
	if want := filepath.Join(dir, "sub", "the map"); err != nil || c.AccessMap != want {
		t.Errorf("%q %v; want %s", c.AccessMap, err, want)
	}
	c.listPlaces = listPlaces{}
	readsBack(t, c)
}
