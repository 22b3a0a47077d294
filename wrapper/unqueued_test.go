package wrapper

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// A client that is denied, or blocked already, is refused while another process holds the lock of
// the ledger. Its line is complete, and it is counted. After an unblock it is not refused.
func TestUnqueued(t *testing.T) {
	own := regexp.MustCompile(` (client|server|left)=\S+`)
	for _, tt := range []struct {
		name, conf string
		before     func(*doorway)
		want       decide.Verdict
		line       string
	}{
		{"denied", "deny 127.0.0.2", nil, decide.Denied, "rule="},
		{"blocked", "", blockLoopback("127.0.0.2/32"), decide.Blocked,
			"network=127.0.0.2/32 left= reason=test reply=421"},
		{"within a blocked network", "", blockLoopback("127.0.0.0/30"), decide.Blocked,
			"network=127.0.0.0/30 left= reason=test reply=421"},
		{"observed", "mode observe", blockLoopback("127.0.0.2/32"), decide.Blocked,
			"mode=observe network=127.0.0.2/32 left= reason=test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, "", "greet_delay 0s\n"+tt.conf)
			d.from = stranger
			if tt.before != nil {
				tt.before(d)
			}
			if s, _, _ := d.meet(t, nil); s.Verdict != tt.want {
				t.Fatalf("%v; want %v", s.Verdict, tt.want)
			}
			usual := own.ReplaceAllString(d.line(t), " $1=")
			release := d.holdStopped(t)
			if s, _, served := d.meet(t, nil); s.Verdict != tt.want || served != s.Served() {
				t.Errorf("while the lock is not to be had: %v, served %v", s.Verdict, served)
			}
			release()
			if line := own.ReplaceAllString(d.line(t), " $1="); line != usual ||
				!strings.Contains(line, tt.line) {
				t.Errorf("log:\n%s\nwant\n%s\nwith %s", line, usual, tt.line)
			}
			if n := d.totals(t); n.Verdicts[tt.want] != 2 || n.Waiting+n.Serving != 0 {
				t.Errorf("%+v", n)
			}
			if tt.want == decide.Denied {
				return
			}
			_, err := d.Ledger.Unblock(ledger.Now(), netip.MustParsePrefix("127.0.0.0/8"))
			if err != nil {
				t.Fatal(err)
			}
			if s, _, served := d.meet(t, nil); s.Verdict != decide.Pass || !served {
				t.Errorf("unblocked: %v", s.Verdict)
			}
		})
	}
}
