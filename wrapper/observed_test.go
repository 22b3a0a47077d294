package wrapper

import (
	"net"
	"strings"
	"testing"

	"sendwrap/wrapper/decide"
)

// The line of a client that is served has the first of the observed tests that would have refused
// it. One that is refused, or leaves, has that alone in its line.
func TestObservedFirst(t *testing.T) {
	const rate = "client_rate 1/1h observe\n"
	for _, tt := range []struct {
		name, conf string
		does       func(*net.TCPConn)
		want       decide.Verdict
		line       string
	}{
		{"quiet", rate, nil, decide.Pass, "RATE"},
		{"both", rate + "on_pregreet observe\n", speak, decide.Pass, "RATE"},
		{"the second", "on_pregreet observe\n", speak, decide.Pass, "PREGREET"},
		{"none", "", nil, decide.Pass, "PASS"},
		{"refused", rate, speak, decide.Pregreet, "PREGREET"},
		{"left", rate, leave, decide.Hangup, "HANGUP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, "", "greet_delay 50ms stress=50ms\nremember 0\n"+tt.conf)
			d.from = stranger
			d.meet(t, nil) // the one that the rate allows
			d.line(t)
			s, _, served := d.meet(t, tt.does)
			observed := tt.want.Served() && tt.line != "PASS"
			line := d.line(t)
			if s.Verdict != tt.want || served != tt.want.Served() ||
				!strings.HasPrefix(line, tt.line+" ") ||
				strings.Contains(line, " mode=observe ") != observed {
				t.Errorf("%v, served %v: %s", s.Verdict, served, line)
			}
			for _, v := range decide.Verdicts() {
				want := observed && v.String() == tt.line
				if n := d.totals(t).Observed[v].Counted; n > 0 != want {
					t.Errorf("%v is observed %d times", v, n)
				}
			}
		})
	}
}

// In mode observe every refusal is counted as observed.
func TestObservedMode(t *testing.T) {
	d := open(t, "", "greet_delay 50ms stress=50ms\nmode observe\n")
	d.from = stranger
	s, _, served := d.meet(t, speak)
	line := d.line(t)
	if s.Verdict != decide.Pregreet || !served || !strings.HasPrefix(line, "PREGREET ") ||
		!strings.Contains(line, " mode=observe ") {
		t.Errorf("%v, served %v: %s", s.Verdict, served, line)
	}
	if n := d.totals(t).Observed[decide.Pregreet].Counted; n != 1 {
		t.Errorf("observed %d times", n)
	}
}
