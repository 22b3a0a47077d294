package config

import (
	"testing"

	"sendwrap/allowlist"
)

// TestHabits: for a habit from another program, or a character from a web page, the error says what
// to write.
func TestHabits(t *testing.T) {
	const times = "; write a number with ms, s, m, h or d, such as 90s or 1h30m"
	const meant = `, or "..." around the word if it is meant`
	const backslash = `backslash at the end of a line, but lines do not continue; write all of ` +
		`it on one line, or "\\" for a backslash`
	mistakes(t, []mistake{
		{"greet_delay\u00a06s", `no-break space in "greet_delay\u00a06s"; write a plain blank` +
			meant},
		{"greet_delay\xa06s", `no-break space in "greet_delay\xa06s"; write a plain blank` + meant},
		{"mta /usr/sbin/sendmail\u00a0-bs",
			`mta: no-break space in "/usr/sbin/sendmail\u00a0-bs"; write a plain blank` + meant},
		{"allow 192.0.2.7\u2003192.0.2.8",
			`unusual blank (U+2003) in "192.0.2.7\u2003192.0.2.8"; write a plain blank` + meant},
		{"include partners\u200b",
			`include: invisible character (U+200B) in "partners\u200b"; remove it` + meant},

		{`mta /usr/sbin/sendmail -Am \`, "mta: " + backslash},
		{`mta /usr/sbin/sendmail -bs\ ` + "\t\r", "mta: " + backslash},
		{`allow 192.0.2.7 \`, backslash},
		{`\`, backslash},
		{"    192.0.2.8 192.0.2.9",
			`"192.0.2.8" stands alone; write allow, deny or client before it`},

		{"client_rate 1m/30", `client_rate: "1m/30" has the time before the number; write 30/1m`},
		{"bad_rcpts_total 1h/10",
			`bad_rcpts_total: "1h/10" has the time before the number; write 10/1h`},
		{"client 192.0.2.7 client_rate=1m/30",
			`client_rate: "1m/30" has the time before the number; write 30/1m`},
		{"client_rate 1m/0", `client_rate: "1m" is out of range; write 1 to 65535`},
		{"client_rate 48h/10", `client_rate: "48h" is out of range; write 1 to 65535`},
		{"client_rate 10/60", `client_rate: no unit in "60"; write 60s`},

		{"greet_delay 1000000h", `greet_delay: "1000000h" is out of range; write 0s to 4m50s`},
		{"greet_delay 99999999999h",
			`greet_delay: "99999999999h" is out of range; write 0s to 4m50s`},
		{"remember 10001d", `remember: "10001d" is out of range; write 0s to 31d`},
		{"remember 99999999999d", `remember: "99999999999d" is out of range; write 0s to 31d`},
		{"remember 1w", `remember: "1w" is not a time; write 7d`},
		{"remember 2Weeks", `remember: "2Weeks" is not a time; write 14d`},
		{"remember 1day", `remember: "1day" is not a time; write 1d`},
		{"greet_delay 5sec", `greet_delay: "5sec" is not a time; write 5s`},
		{"greet_delay 5S", `greet_delay: "5S" is not a time; write 5s`},
		{"max_idle 30mins", `max_idle: "30mins" is not a time; write 30m`},
		{"max_idle 2hours", `max_idle: "2hours" is not a time; write 2h`},
		{"max_idle 1y", `max_idle: "1y" is not a time` + times},
		{"max_idle w", `max_idle: "w" is not a time` + times},

		{"block 3 10m 1h", `block: "3" is not KEY=VALUE; write strikes=3 within=10m for=1h`},
		{"block 3", `block: "3" is not KEY=VALUE; write strikes=3`},
		{"block 3 10m 2d",
			`block: "3" is not KEY=VALUE; write strikes=, within=, for=, max=, kill=, grace= or ` +
				`max_entries=`},

		{"include /nowhere/*.conf",
			`include: /nowhere/*.conf: is a pattern, not a file; write one include for each file`},
		{"allow *.example.org",
			`"*.example.org" is not a plain name; write .example.org`},
		{"allow 010.0.0.1", `leading zero in "010.0.0.1"; write 10.0.0.1 or 8.0.0.1`},

		{"mta /usr/sbin/sendmail -bd",
			`mta: -bd makes it a daemon, which ignores the client on its stdin; write -bs`},
		{"mta /usr/sbin/exim4 -bdf",
			`mta: -bdf makes it a daemon, which ignores the client on its stdin; write -bs`},
		{"mta /usr/lib/sendmail.sendmail -bD",
			`mta: -bD makes it a daemon, which ignores the client on its stdin; write -bs`},

		{"reserve 20%%", `reserve: "20%%" is not a percentage; write 20%`},
		{"reserve 200%%", `reserve: "200%%" is out of range; write 0% to 90%`},
		{"client_conns 50%", `client_conns: "50%" is a percentage; write a number, 0 to 100000`},
		{"max_sessions 50%", `max_sessions: "50%" is a percentage; write a number, 1 to 100000`},
		{"bad_rcpts_total 10/1h share=200%",
			`bad_rcpts_total: share: "200%" is out of range; write 0 to 100`},
	})
	settings(t, []setting{
		{"another program's -bd", "mta /usr/local/bin/smtpd -bd", func(c *Config) {
			c.MTA = []string{"/usr/local/bin/smtpd", "-bd"}
		}},
	})
}

// TestPlace: errors of check outside the file name the line that sets the directive.
func TestPlace(t *testing.T) {
	path := write(t,
		"mode observe\nmta /nowhere/smtpd\nledger /var/lib/sendwrap/ledger\nhostname mx\n")
	c, _ := Load(path, allowlist.All())
	for directive, want := range map[string]string{
		"mode": path + ":1", "mta": path + ":2", "ledger": path + ":3", "hostname": path + ":4",
		"log": path, "nonsense": path,
	} {
		if got := c.Place(directive); got != want {
			t.Errorf("%s is set at %s; want %s", directive, got, want)
		}
	}
	if got := Default().Place("mta"); got != DefaultPath {
		t.Errorf("the default is set at %q", got)
	}
}
