package wrapper

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// A client that meets no limits for our own trouble has the cause in its line, and is counted where
// there is a ledger. Any other has none.
func TestFailOpen(t *testing.T) {
	crowd := func(t *testing.T, d *doorway) func() {
		d.Ledger.CrowdPatience = time.Millisecond
		release := d.hold(t)
		return func() {
			release()
			d.Ledger.CrowdPatience = 0
		}
	}
	welcome := func(s *Session) {
		s.facts().Limits.Welcome, s.facts().Score.Highest = -1, -3
	}
	for _, tt := range []struct {
		name    string
		before  func(*doorway)
		trouble func(*testing.T, *doorway) (over func())
		facts   func(*Session)
		want    decide.Verdict
		cause   string
		counted ledger.Cause // -1: nowhere
	}{
		{"an ordinary day", nil, nil, nil, decide.Pass, "", -1},
		{"stopped", nil, func(t *testing.T, d *doorway) func() { return d.holdStopped(t) }, nil,
			decide.Pass, "ledger_stopped", ledger.HeldByStopped},
		{"a crowd, known", known, crowd, nil, decide.Known, "ledger_crowded", ledger.Crowded},
		{"a crowd, on an allow list", nil, crowd, welcome, decide.DNSWL, "ledger_crowded",
			ledger.Crowded},
		{"a crowd, neither", nil, crowd, nil, decide.Busy, "", -1},
		{"no ledger", nil, func(t *testing.T, d *doorway) func() {
			_ = d.Ledger.Close()
			return func() { _ = d.Ledger.Open() }
		}, nil, decide.Pass, "no_ledger", -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, "", "greet_delay 10ms stress=10ms")
			d.from = stranger
			if tt.before != nil {
				tt.before(d)
			}
			over := func() {}
			if tt.trouble != nil {
				over = tt.trouble(t, d)
			}
			s, _ := d.enter(t)
			if tt.facts != nil {
				tt.facts(s)
			}
			if s.Arrive() {
				s.Conclude(s.wait())
			}
			s.Account(0)
			over()
			line := d.line(t)
			for strings.Contains(line, "carrying on without") {
				line = d.line(t)
			}
			_, cause, found := strings.Cut(line, " open=")
			cause, _, _ = strings.Cut(cause, " ")
			if s.Verdict != tt.want || cause != tt.cause || found != (tt.cause != "") {
				t.Errorf("%v, log: %s; want %v, %q", s.Verdict, line, tt.want, tt.cause)
			}
			for cause, n := range d.totals(t).Open {
				if (n == 1) != (ledger.Cause(cause) == tt.counted) {
					t.Errorf("cause %d: %d are counted", cause, n)
				}
			}
		})
	}
}

// A client that the ledger has no place for, or that its wide network cannot count, has that in its
// line: limits do not hold for it.
func TestUncounted(t *testing.T) {
	address := func(n int) netip.Addr {
		return netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)})
	}
	for cause, fill := range map[string]func(tx *ledger.Tx, n int) ledger.Session{
		"unrecorded": func(tx *ledger.Tx, n int) (s ledger.Session) {
			tx.BlockByHand(netip.PrefixFrom(address(n), 32), time.Hour, "", ledger.Penalty{})
			return s
		},
		"wide_uncounted": func(tx *ledger.Tx, n int) (s ledger.Session) {
			wide, _ := address(n).Prefix(30 - n%16) // more widths than there is place for
			s, _ = tx.Enter(ledger.Arrival{Client: netip.AddrPortFrom(address(n), 1),
				Network:    netip.PrefixFrom(address(n), 32),
				WideLimits: &[ledger.MaxWide]ledger.WideLimits{{Network: wide, Conns: 9}}},
				ledger.Self())
			return s
		},
	} {
		t.Run(cause, func(t *testing.T) {
			d := open(t, "", "greet_delay 0s\nwide 9 48 client_conns=1000")
			d.from = stranger
			do := func(work func(*ledger.Tx)) {
				if err := d.Ledger.Do(ledger.Now(), work); err != nil {
					t.Fatal(err)
				}
			}
			says := func() bool {
				s, _ := d.enter(t)
				if s.Arrive() {
					s.Conclude(s.wait())
				}
				s.Account(0)
				s.End()
				line := d.line(t)
				if !strings.HasPrefix(line, "PASS ") && !strings.HasPrefix(line, "KNOWN ") {
					t.Errorf("log: %s", line)
				}
				return strings.HasSuffix(line, " open="+cause)
			}
			if says() {
				t.Error("the line says so while there is place")
			}
			filled := 4096 // four times as many as there is place for
			if cause == "wide_uncounted" {
				filled = 16
			}
			for n := range filled {
				do(func(tx *ledger.Tx) { fill(tx, n) })
			}
			if !says() {
				t.Error("the line does not say so")
			}
		})
	}
}
