package ledger

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"
)

// A machine whose boots and clocks the test controls.
type machine struct {
	t    *testing.T
	path string
	boot int
	now  Moment
	l    *Ledger
}

func newMachine(t *testing.T, wall time.Time) *machine {
	m := &machine{t: t, path: filepath.Join(ownDir(t), "ledger"), now: Moment{time.Minute, wall}}
	m.reboot(0, 0)
	return m
}

// reboot takes the machine down for that long. It comes up with a clock that is wrong by that much.
func (m *machine) reboot(away, wrong time.Duration) {
	m.t.Helper()
	if m.l != nil {
		shut(m.l)
	}
	m.boot++
	m.now = Moment{20 * time.Second, m.now.Wall.Add(away + wrong)}
	l, notes, err := Open(m.path, MinClients, bootN(m.boot))
	if err != nil || len(notes) > 0 {
		m.t.Fatalf("boot %d: %v, %q", m.boot, err, notes)
	}
	m.t.Cleanup(func() { shut(l) })
	m.l = l
}

func (m *machine) do(work func(*Tx)) {
	m.t.Helper()
	mustAt(m.t, m.l, m.now, work)
}

func (m *machine) pass(d time.Duration) { m.now = m.now.After(d) }

func (m *machine) look(host int) (s Standing) {
	m.t.Helper()
	a := from(hostN(host))
	a.Limits = Limits{Rate: 10, Per: 2 * time.Hour}
	m.do(func(tx *Tx) { s = tx.Look(a) })
	return s
}

// remembered is what the reboots below must not forget.
func (m *machine) remembered() {
	m.do(func(tx *Tx) {
		tx.Block(networkN(1), 5*time.Hour, "test", Penalty{})
		tx.Remember(networkN(2), 5*time.Hour)
		tx.Strike(networkN(3), "test", 1, threeStrikes)
		tx.BadRcpt(networkN(3), 2*time.Hour)
		tx.BadRcpt(networkN(3), 2*time.Hour)
		a := from(hostN(4))
		a.Limits = Limits{Rate: 10, Per: 2 * time.Hour}
		s, _ := tx.Enter(a, Self())
		tx.Serve(s)
		tx.Enter(a, Self())
		tx.Count(2)
		tx.Left(time.Second)
	})
}

// Blocks and known clients survive a reboot, for as long as was meant, the time off included.
// Sessions do not.
func TestRemembersThroughReboots(t *testing.T) {
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name        string
		begins      time.Time
		away, wrong time.Duration
		passed      time.Duration // as far as the ledger can know
	}{
		{"at once", now, 0, 0, 0},
		{"an hour away", now, time.Hour, 0, time.Hour},
		{"long away", now, 30 * 24 * time.Hour, 0, 30 * 24 * time.Hour},
		{"comes up ten years in the past", now, time.Hour, -10 * year, 0},
		{"comes up in 1970", now, time.Hour, -now.Sub(time.Unix(0, 0)), 0},
		{"comes up ten years in the future", now, time.Hour, 10 * year, time.Hour + 10*year},
		{"comes up in 2126", now, time.Hour, 100 * year, time.Hour + 100*year},
		{"made in 1970, up in 2026", time.Unix(100, 0), time.Hour, now.Sub(time.Unix(0, 0)),
			time.Hour + now.Sub(time.Unix(0, 0))},
		{"made in 1970, and again there", time.Unix(100, 0), 0, -50 * time.Second, 0},
		{"made in 2126, up in 2026", now.Add(100 * year), 0, -100 * year, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t, tt.begins)
			m.remembered()
			m.pass(time.Hour)
			m.do(func(*Tx) {}) // the last that is known of this boot
			m.reboot(tt.away, tt.wrong)
			passed := time.Hour + tt.passed
			left := max(0, 5*time.Hour-passed)
			if s := m.look(1); s.BlockLeft != left || s.Blocked != (left > 0) {
				t.Errorf("the block has %v left; want %v", s.BlockLeft, left)
			}
			if s := m.look(2); s.Known != (left > 0) {
				t.Errorf("known: %v; want %v", s.Known, left > 0)
			}
			if s := m.look(3); s.Strikes != map[bool]int{true: 1}[passed < strikeMemory] {
				t.Errorf("%d strikes after %v", s.Strikes, passed)
			}
			var n Rcpts
			m.do(func(tx *Tx) { n = tx.Rcpts(networkN(3), 2*time.Hour) })
			if n.Bad != map[bool]int{true: 2}[passed <= 2*time.Hour] {
				t.Errorf("%d bad recipients after %v", n.Bad, passed)
			}
			if s := m.look(4); s.Conns != 0 || s.Serving != 0 || s.Waiting != 0 ||
				s.Arrivals != map[bool]int{true: 2}[passed <= 2*time.Hour] {
				t.Errorf("after %v the client of two sessions: %+v", passed, s)
			}
			if n := m.l.totals; n.verdicts[2] != 1 || n.left[10] != 1 {
				t.Errorf("totals: %v", n.verdicts)
			}
			// From now on time passes as before.
			m.pass(left - time.Millisecond)
			if s := m.look(1); left > 0 && s.BlockLeft != time.Millisecond {
				t.Errorf("a millisecond before its end the block has %v left", s.BlockLeft)
			}
			m.pass(time.Millisecond)
			if s := m.look(1); s.Blocked {
				t.Errorf("the block has %v left after its end", s.BlockLeft)
			}
			mustAuditAt(m)
		})
	}
}

func mustAuditAt(m *machine) {
	m.t.Helper()
	var err error
	m.do(func(*Tx) { err = audit(m.l) })
	if err != nil {
		m.t.Fatal(err)
	}
}

// A machine without a battery for its clock comes up in 1970 each time and gets the time later:
// nothing is forgotten too soon, and nothing lasts longer.
func TestRemembersWithoutAClock(t *testing.T) {
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	m := newMachine(t, time.Unix(10, 0))
	m.remembered()
	for boot := range 4 {
		m.do(func(*Tx) {})
		m.pass(10 * time.Minute)
		m.now.Wall = now.Add(time.Duration(boot) * time.Hour) // the network has told the time
		m.do(func(*Tx) {})
		m.pass(10 * time.Minute)
		want := 5*time.Hour - time.Duration(boot+1)*20*time.Minute
		if s := m.look(1); s.BlockLeft != want {
			t.Fatalf("in boot %d the block has %v left; want %v", boot, s.BlockLeft, want)
		}
		m.reboot(0, -m.now.Wall.Sub(time.Unix(10, 0)))
	}
}

// An unknown boot counts as the one before, unless its clock says otherwise.
func TestRemembersAnUnknownBoot(t *testing.T) {
	m := newMachine(t, time.Now())
	m.pass(3 * time.Hour)
	m.do(func(tx *Tx) { tx.Enter(from(hostN(1)), Self()) })
	m.l.boot = Boot{}
	if s := m.look(1); s.Conns != 1 {
		t.Errorf("one that cannot tell the boot sees %d sessions; want 1", s.Conns)
	}
	m.now = Moment{time.Minute, m.now.Wall.Add(time.Minute)} // but it cannot have begun so lately
	if s := m.look(1); s.Conns != 0 {
		t.Errorf("one whose machine runs for a minute only sees %d sessions; want 0", s.Conns)
	}
	m.do(func(tx *Tx) { tx.Enter(from(hostN(1)), Self()) })
	m.l.boot = bootN(m.boot + 1)
	if s := m.look(1); s.Conns != 1 {
		t.Errorf("the first that can tell the boot again sees %d sessions; want 1", s.Conns)
	}
}

// A process that has not read the boot id reads it only if the clocks tell of a reboot; then it
// decides.
func TestRemembersUntilTheBootIDMatters(t *testing.T) {
	for _, tt := range []struct {
		name    string
		file    Boot // whose sessions the file has
		jump    time.Duration
		read    bool
		forgets bool
	}{
		{"same boot", ThisBoot(), 0, false, false},
		{"wall clock set", ThisBoot(), time.Hour, true, false},
		{"another id, same moment", bootN(1), 0, false, false},
		{"another boot", bootN(1), time.Hour, true, true},
		{"a file without an id", Boot{}, 0, true, false},
	} {
		path, now := filepath.Join(ownDir(t), "ledger"), Now()
		first, _, err := Open(path, MinClients, tt.file)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(first)
		mustAt(t, first, now, func(tx *Tx) { tx.Enter(from(hostN(1)), Self()) })
		l, _, err := Open(path, MinClients, LaterBoot())
		if err != nil {
			t.Fatal(err)
		}
		defer shut(l)
		now.Wall = now.Wall.Add(tt.jump)
		var n Totals
		mustAt(t, l, now, func(tx *Tx) { n = tx.Totals() })
		if forgets := n.Waiting == 0; forgets != tt.forgets {
			t.Errorf("%s: forgets sessions: %v", tt.name, forgets)
		}
		if read := l.boot == ThisBoot(); read != tt.read {
			t.Errorf("%s: reads the boot id: %v", tt.name, read)
		}
		if tt.file == (Boot{}) && l.header.boot != ThisBoot() {
			t.Errorf("%s: it has none now", tt.name)
		}
	}
}

// A day of arrivals from everywhere, with a reboot now and then, leaves a consistent ledger.
func TestRemembersAndAddsUp(t *testing.T) {
	m := newMachine(t, time.Now())
	for n := range 3000 {
		m.pass(30 * time.Second)
		a := from(netip.AddrFrom4([4]byte{198, 51, byte(n % 7), byte(n)}))
		m.do(func(tx *Tx) {
			tx.Look(a)
			s, _ := tx.Enter(a, Self())
			switch n % 5 {
			case 0:
				tx.Serve(s)
			case 1:
				tx.Leave(s)
			case 2:
				tx.Strike(a.Network, "test", 1, threeStrikes)
			}
		})
		if n%500 == 499 {
			mustAuditAt(m)
			m.reboot(time.Minute, 0)
		}
	}
}
