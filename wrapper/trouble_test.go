package wrapper

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// troubles checks that exactly these were counted.
func (d *doorway) troubles(t *testing.T, want map[ledger.Trouble]uint64) {
	t.Helper()
	n := d.totals(t)
	for _, what := range ledger.Troubles() {
		if got := n.Troubles[what]; got != want[what] {
			t.Errorf("%v was counted %d times; want %d", what, got, want[what])
		}
	}
}

// Each client for which something did not count, for our own trouble, is counted by its cause; and
// nothing is counted on an ordinary day.
func TestCountsTroubles(t *testing.T) {
	known := func(d *doorway) {
		if err := d.Ledger.Run(func(tx *ledger.Tx) {
			tx.Remember(d.Network(netip.MustParseAddr(stranger)), time.Hour)
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, conf string
		before     func(*doorway)
		client     func(*net.TCPConn)
		want       map[ledger.Trouble]uint64
	}{
		{"quiet", "", nil, nil, nil},
		{"spoke", "", nil, speak, nil},
		{"known", "", known, nil, nil},
		{"left", "", known, leave, nil},
		{"known, spoke", "", known, speak, map[ledger.Trouble]uint64{ledger.KnownRefused: 1}},
		{"known, in observe", "mode observe", known, speak, nil},
		{"known, denied", "deny 127.0.0.2", known, nil, nil},
		{"known, too many", "client_conns 1", func(d *doorway) {
			known(d)
			waiting(stranger)(d)
		}, nil, map[ledger.Trouble]uint64{ledger.KnownRefused: 1}},
		{"log away", "", func(d *doorway) { _ = d.log.Close() }, nil,
			map[ledger.Trouble]uint64{ledger.Unlogged: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, "", "greet_delay 50ms stress=50ms\n"+tt.conf)
			d.from = stranger
			if tt.before != nil {
				tt.before(d)
			}
			d.meet(t, tt.client)
			d.troubles(t, tt.want)
		})
	}
}

// A client is counted for whose name, or for the lack of one, the compiled policy cannot say any
// more what holds: the file was cut off, here while it waits.
func TestCountsUnreadRules(t *testing.T) {
	host := []string{reversed + ".in-addr.arpa. 300 IN PTR host.dyn.example.",
		"host.dyn.example. 300 IN A " + asked}
	for _, tt := range []struct {
		name, conf, access string
		records            []string
		counted            uint64
	}{
		{"name", "deny .dyn.example\n", "", host, 1},
		{"name, in the map", "", "Connect:dyn.example REJECT\n", host, 1},
		{"no name", "", "Connect:[127.9] REJECT\n", nil, 1},
		{"no rules", "", "", host, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, n := t.TempDir(), lab.NewNameserver(t, tt.records...)
			err := os.WriteFile(filepath.Join(dir, "map"), []byte(tt.access), 0o600)
			if err != nil {
				t.Fatal(err)
			}
			d := dnsDoor(t, dir, n, "greet_delay 3s stress=3s\naccess map\n"+tt.conf, nil)
			d.compiled(t, dir)
			s, _ := d.enter(t)
			if err := os.Truncate(filepath.Join(dir, "policy"), 4096); err != nil {
				t.Fatal(err)
			}
			if !s.Run() || s.Verdict != decide.Pass {
				t.Errorf("%v", s.Verdict)
			}
			if line := d.line(t); strings.Contains(line, " open=rules_unread") != (tt.counted > 0) {
				t.Error(line)
			}
			d.troubles(t, map[ledger.Trouble]uint64{ledger.RulesUnread: tt.counted})
			const said = "is cut off; rules for names did not hold; the next client has that file"
			if tt.counted > 0 && !strings.Contains(d.line(t), said) {
				t.Error("the log does not say so")
			}
		})
	}
}

// A client that cannot be seen is counted once.
func TestCountsUnseen(t *testing.T) {
	d := open(t, "", "greet_delay 50ms stress=50ms")
	s, _ := d.enter(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := unix.Dup2(int(r.Fd()), s.FD); err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if !s.Run() || s.Verdict != decide.Pass {
		t.Errorf("%v", s.Verdict)
	}
	d.line(t) // which says that it is taken for quiet
	if line := d.line(t); !strings.Contains(line, " open=unseen") {
		t.Error(line)
	}
	d.troubles(t, map[ledger.Trouble]uint64{ledger.Unseen: 1})
}

// A client for which a room has no descriptor is counted as that.
func TestCountsNoDescriptor(t *testing.T) {
	d := open(t, "", "")
	s, _ := d.enter(t)
	d.RefuseAtOnce(s.FD, s.Client.Addr())
	d.troubles(t, map[ledger.Trouble]uint64{ledger.NoDescriptor: 1})
}

// A client that passed while no server of DNS answered is counted, and one that passed while one
// did is not.
func TestCountsUnheard(t *testing.T) {
	for _, silent := range []bool{false, true} {
		n := lab.NewNameserver(t)
		want, delay := map[ledger.Trouble]uint64{}, "greet_delay 3s stress=3s\n"
		if silent {
			n.Hold("")
			want[ledger.DNSSilent], delay = 1, "greet_delay 1s stress=1s\n"
		}
		d := dnsDoor(t, "", n, delay, map[string]int{"bad": 3})
		if s, _, _ := d.meet(t, nil); s.Verdict != decide.Pass {
			t.Errorf("silent %v: %v", silent, s.Verdict)
		}
		d.troubles(t, want)
	}
}

// Strikes that are given up are counted.
func TestCountsUnwritten(t *testing.T) {
	d := open(t, "", "")
	for range 3 {
		s, _ := d.enter(t)
		d.writeLater(s)
	}
	d.dropUnwritten()
	if line := d.line(t); !strings.Contains(line, "lost: 3 strikes") {
		t.Error(line)
	}
	d.troubles(t, map[ledger.Trouble]uint64{ledger.Unwritten: 3})
}

// Of blocked clients, who take no lock, one each ten minutes does, so that what was counted of late
// is right in a flood of nobody else.
func TestBlockedKeepThePast(t *testing.T) {
	d := open(t, "", "")
	d.from = stranger
	blockLoopback(stranger + "/32")(d)
	for range 3 {
		if s, _, _ := d.meet(t, nil); s.Verdict != decide.Blocked {
			t.Fatal(s.Verdict)
		}
	}
	n, _, err := d.Ledger.Report(ledger.Now())
	if err != nil || n.Recent.Since.IsZero() || n.Recent.Verdicts[decide.Blocked] != 3 {
		t.Errorf("%d of late, since %v, %v", n.Recent.Verdicts[decide.Blocked], n.Recent.Since, err)
	}
}
