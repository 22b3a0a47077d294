package wrapper

import (
	"net/netip"
	"testing"
)

// What check says is what happens, in every situation that decides at the door.
func TestExplainAgrees(t *testing.T) {
	for _, tt := range []struct {
		conf   string
		before func(*doorway)
	}{
		{"deny 127.0.0.1", nil}, {"allow 127.0.0.1", nil}, {"", blockLoopback("127.0.0.0/24")}, {"max_sessions 1", serving("127.0.0.9")},
		{"client_conns 1", waiting("127.0.0.1")}, {"client_rate 1/1h", waiting("127.0.0.1")}, {"", known}, {"", nil},
	} {
		d := open(t, "", "greet_delay 50ms stress=50ms\n"+tt.conf)
		if tt.before != nil {
			tt.before(d)
		}
		steps, said, _, err := d.Explain(netip.MustParseAddr("127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		s, _, _ := d.meet(t, nil)
		if said != s.Verdict {
			t.Errorf("%q: explained as %v, was %v", tt.conf, said, s.Verdict)
		}
		marked := 0
		for i, step := range steps {
			if step.Decides {
				marked++
				if Verdict(i+1) != s.Verdict {
					t.Errorf("%q: test %d is marked, %v decided", tt.conf, i+1, s.Verdict)
				}
			}
		}
		if marked != 1 || len(steps) != int(Pass) {
			t.Errorf("%q: %d of %d tests marked", tt.conf, marked, len(steps))
		}
	}
}
