package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
)

// For each kind of refusal of a client that is known there is a line that mends it, and sendwrap
// reads each of these. A client that was rarely known, or is denied, has none.
func TestAdvice(t *testing.T) {
	const from = "client=[192.0.2.1]:5 server=[198.51.100.5]:25 "
	const known, busy = "KNOWN " + from, "BUSY " + from + "serving=300/300 reply=421"
	const allowed = "ALLOWED " + from + "rule=/etc/sendwrap.conf:9"
	const v6 = "client=[2001:db8:1:2::3]:5 server=[::1]:25 "
	const by6 = "KNOWN " + v6
	crowd := func(word string, n int) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprintf("%s client=[203.0.113.%d]:5 server=[::1]:25",
				word, i))
		}
		return lines
	}
	for _, tt := range []struct {
		lines []string
		want  string // "" = none
	}{
		{[]string{known, known, known, "RATE " + from + "rate=30/30 per=1m"},
			"client 192.0.2.1 client_rate=60/1m"},
		{[]string{known, known, known, "CONNS " + from + "conns=50/50"},
			"client 192.0.2.1 client_conns=100"},
		{[]string{known, known, known, "RATE " + from + "network=192.0.2.0/24 rate=90/90 per=1m"},
			"client 192.0.2.0/24 client_rate=180/1m"},
		{[]string{known, known, known, "CONNS " + from + "network=192.0.0.0/16 conns=90/80"},
			"client 192.0.0.0/16 client_conns=160"},
		{[]string{by6, by6, by6, "CONNS " + v6 + "network=2001:db8:1:2::/65 conns=90/90"}, ""},
		// A share of scarce places, for which a limit of its own stands.
		{[]string{known, known, known, "CONNS " + from + "serving=190/200 conns=4/50 mta=3/3"},
			"client 192.0.2.1 client_conns=50"},
		{[]string{by6, by6, by6,
			"CONNS " + v6 + "network=2001:db8:1::/48 serving=190/200 conns=60/50 mta=3/3"},
			"client 2001:db8:1:2::/64 client_conns=50"},
		{[]string{known, known, known, "DNSBL " + from + "score=3/3 lists=zen:127.0.0.2*3"},
			"client 192.0.2.1 dnsbl=off"},
		{[]string{known, known, "PREGREET " + from + "kind=ehlo", known}, "allow 192.0.2.1"},
		{[]string{known, known, known, "BLOCKED " + from + "reason=pregreet:ehlo"},
			"allow 192.0.2.1"},
		{[]string{known, known, known, "BLOCKED " + from + "reason=administrator"}, ""},
		{[]string{known, known, known, "BLOCKED " + from + "reason=fail2ban"}, ""},
		{[]string{known, known, known, "PREGREET " + from + "kind=ehlo", allowed}, ""}, // by now
		{[]string{allowed, allowed, allowed, "PREGREET " + from + "kind=ehlo"}, ""},
		{[]string{known, known, known, "DENIED " + from + "rule=/etc/sendwrap.conf:3"}, ""},
		{[]string{known, known, known, "RATE " + from}, ""}, // cut
		{[]string{known, known, "RATE " + from + "rate=30/30 per=1m"}, ""},
		{slices.Concat(slices.Repeat([]string{known}, 97), []string{busy, busy}),
			"max_sessions 600"},
		{slices.Concat(slices.Repeat([]string{known}, 199), []string{busy, busy}), ""},
		{crowd("PREGREET", many), "deny 203.0.113.0/24"},
		{crowd("PREGREET", many-1), ""},
		{append(crowd("PREGREET", many+1), "PASS client=[203.0.113.9]:5 server=[::1]:25"), ""},
		{append(crowd("RATE", many), crowd("PREGREET", many-1)...), ""}, // a flood
		{append(crowd("CONNS", many), crowd("BUSY", many)...), ""},
		{crowd("DENIED", many), ""}, // a line does so already
	} {
		log := ""
		for _, line := range tt.lines {
			log += clock + " mx sendwrap[1]: " + line + "\n"
		}
		r := readText(t, log)
		if tt.want == "" {
			if len(r.Advice) > 0 {
				t.Errorf("%d lines, the last is %s: %+v", len(tt.lines),
					tt.lines[len(tt.lines)-1], r.Advice)
			}
			continue
		}
		if len(r.Advice) != 1 || r.Advice[0].Line != tt.want || r.Advice[0].Why == "" {
			t.Errorf("%+v; want %s", r.Advice, tt.want)
			continue
		}
		file := put(t, filepath.Join(t.TempDir(), "conf"),
			[]byte("mta /bin/true\n"+tt.want+"\n"), weekEnd)
		if _, err := config.Load(file, allowlist.All()); err != nil {
			t.Errorf("%s: %v", tt.want, err)
		}
	}
}

// On the days on which clocks are set forward and back, no line is lost or counted for another
// hour: such a day has 23 or 25.
func TestClockChange(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for change, hours := range map[time.Time]int{
		time.Date(2026, 3, 29, 0, 0, 0, 0, zone): 23, time.Date(2026, 10, 25, 0, 0, 0, 0, zone): 25,
	} {
		log := ""
		next := change.AddDate(0, 0, 1)
		for at := change.AddDate(0, 0, -1); at.Before(next.AddDate(0, 0, 1)); {
			log += at.Format(time.RFC3339) + " mx sendwrap[1]: " + pass + "\n"
			at = at.Add(30 * time.Minute)
		}
		for _, tt := range []struct {
			since, until time.Time
			rows         []int
		}{
			{change, next.Add(-time.Second), slices.Repeat([]int{2}, hours)},
			{change.AddDate(0, 0, -1), next.AddDate(0, 0, 1).Add(-time.Second),
				[]int{48, 2 * hours, 48}},
		} {
			o := Options{Sources: named("-"), Since: tt.since}
			o.Stdin, o.Now, o.Zone = strings.NewReader(log), tt.until, zone
			r, err := Read(o)
			if err != nil {
				t.Fatal(err)
			}
			var rows []int
			for _, h := range r.Hours {
				rows = append(rows, h.Counts["PASS"])
			}
			if !slices.Equal(rows, tt.rows) || !r.Hours[0].Start.Equal(tt.since) {
				t.Errorf("from %v: %v; want %v", r.Hours[0].Start, rows, tt.rows)
			}
		}
	}
}
