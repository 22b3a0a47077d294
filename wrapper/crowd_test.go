package wrapper

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// While others hold the ledger all the time, the decision uses what the client does and what the
// ledger says without its lock, and only an unknown client is refused. The line says why, and each
// verdict is counted.
func TestCrowdedLedger(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(*doorway)
		client func(*net.TCPConn)
		want   decide.Verdict
		line   string
		conf   string
	}{
		{"stranger", nil, nil, decide.Busy, "reason=ledger serving=", ""},
		{"has left often", hungUp(3, time.Minute), nil, decide.Busy, "wait=", ""},
		{"known", known, nil, decide.Known, "", ""},
		{"blocked, as half of another's work may say", blockLoopback("127.0.0.2/32"), nil,
			decide.Busy, "reason=ledger", ""},
		{"allowed", nil, nil, decide.Allowed, "network=127.0.0.2/32", "allow 127.0.0.2"},
		{"early talker", nil, speak, decide.Pregreet, "strikes=1/1 left=1h", ""},
		{"gone", nil, leave, decide.Hangup, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, "", "greet_delay 100ms\nblock strikes=1 for=1h max=1h\n"+tt.conf)
			d.from = stranger
			if tt.before != nil {
				tt.before(d)
			}
			d.Ledger.CrowdPatience = time.Millisecond
			release := d.hold(t)
			s, client := d.enter(t)
			if tt.client != nil {
				tt.client(client)
				arrived(t, s.FD)
			}
			if s.Arrive() {
				s.Conclude(s.wait())
			}
			release()
			if d.Ledger.CrowdPatience != time.Millisecond {
				t.Errorf("from now on it waits for %v", d.Ledger.CrowdPatience)
			}
			d.Ledger.CrowdPatience = 0
			s.writeStrike() // the offence is written as soon as that can be done
			s.Account(0)
			if s.Verdict != tt.want || s.Served() != tt.want.Served() {
				t.Errorf("%v, served %v; want %v", s.Verdict, s.Served(), tt.want)
			}
			if line := d.line(t); !strings.Contains(line, tt.want.String()+" client=") ||
				!strings.Contains(line, tt.line) {
				t.Errorf("log: %s; want %s", line, tt.line)
			}
			if n := d.totals(t); n.Verdicts[tt.want] != 1 {
				t.Errorf("counted: %v", n.Verdicts)
			}
			if n := d.totals(t).Open[ledger.Crowded]; (n == 1) != (tt.want == decide.Known) {
				t.Errorf("%d clients are counted that met no limits", n)
			}
		})
	}
}

// A client that could not be counted when it came is checked against the limits after its wait.
func TestCrowdedAtArrival(t *testing.T) {
	d := open(t, "", "greet_delay 100ms\nclient_conns 1")
	d.Ledger.CrowdPatience = time.Millisecond
	release := d.hold(t)
	var both []*Session
	for range 2 {
		s, _ := d.enter(t)
		if !s.Arrive() {
			t.Fatalf("on arrival: %v", s.Verdict)
		}
		both = append(both, s)
	}
	release()
	d.Ledger.CrowdPatience = 0
	for n, want := range []decide.Verdict{decide.Pass, decide.Conns} {
		if both[n].Conclude(decide.Quiet, both[n].Delay()); both[n].Verdict != want {
			t.Errorf("client %d: %v; want %v", n, both[n].Verdict, want)
		}
	}
}

// hold has another user of the ledger take its lock and sleep.
func (d *doorway) hold(t *testing.T) (release func()) {
	t.Helper()
	l, _, err := ledger.Open(d.Policy.Ledger.Path, d.Policy.Ledger.Clients, ledger.ThisBoot())
	if err != nil {
		t.Fatal(err)
	}
	held, until, done := make(chan bool), make(chan bool), make(chan error)
	go func() {
		done <- l.Do(ledger.Now(), func(*ledger.Tx) { close(held); <-until })
	}()
	<-held
	return func() {
		close(until)
		if err := errors.Join(<-done, l.Close()); err != nil {
			t.Error(err)
		}
	}
}

// holdVar makes this test program lock the ledger that it names, and stop.
const holdVar = "SENDWRAP_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdVar); path != "" {
		lab.HoldLock(path)
	}
	if waits := os.Getenv(mtaVar); waits != "" {
		beMTA(waits)
	}
	os.Exit(m.Run())
}

// holdStopped starts a process that locks the ledger of the door and stops.
func (d *doorway) holdStopped(t *testing.T) (release func()) {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), holdVar+"="+d.Policy.Ledger.Path)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(c.Process.Pid, &status, unix.WUNTRACED, nil); err != nil ||
		!status.Stopped() {
		t.Fatalf("it does not hold the lock: %#x, %v", status, err)
	}
	return func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
}

// While a stopped process holds the ledger, clients are served without limits and counted, and one
// log line says so.
func TestHeldLedger(t *testing.T) {
	d := open(t, "", "greet_delay 0s")
	release := d.holdStopped(t)
	for range 3 {
		if s, _, served := d.meet(t, nil); !served {
			t.Errorf("%v", s.Verdict)
		}
	}
	release()
	warnings := 0
	for range 4 {
		if strings.Contains(d.line(t),
			"is stopped; continue or kill it; carrying on without limits and memory") {
			warnings++
		}
	}
	if n := d.totals(t); warnings != 1 || n.Open[ledger.HeldByStopped] != 3 ||
		n.Verdicts[decide.Pass] != 3 {
		t.Errorf("%d warnings, %+v, %v", warnings, n.Open, n.Verdicts)
	}
}

// However many offences could not be written, they are written later, some at a time, none twice.
func TestUnwrittenStrikes(t *testing.T) {
	const many = 100
	d := open(t, "", "greet_delay 1s\nblock strikes=2 for=1h max=1h")
	d.Process.Shared, d.room = true, true
	d.Ledger.CrowdPatience = time.Millisecond
	for n := range many { // each meets another holder: one that holds it for long is no crowd
		release := d.hold(t)
		d.from = fmt.Sprintf("127.0.1.%d", n/2) // each is two
		s, c := d.enter(t)
		speak(c)
		arrived(t, s.FD)
		if s.Arrive() {
			s.Conclude(decide.Spoke, 0)
		}
		release()
	}
	if len(d.unwritten) != many || !d.HasUnwritten() {
		t.Fatalf("%d are not written", len(d.unwritten))
	}
	blocked := map[netip.Prefix]int{}
	lab.Eventually(t, "all are written", func() bool {
		for _, s := range d.WriteStrikes() {
			network, _, _ := s.Block()
			blocked[network]++
		}
		return !d.HasUnwritten()
	})
	if len(blocked) != many/2 {
		t.Errorf("%d networks are blocked; want %d", len(blocked), many/2)
	}
	for network, n := range blocked {
		if n != 1 {
			t.Errorf("%v is blocked %d times", network, n)
		}
	}
}

// Offences that wait for a ledger that is lost are given up, with a line: else a room that waits to
// write them would never end.
func TestUnwrittenInALostLedger(t *testing.T) {
	d := open(t, "", "")
	d.Process.Shared, d.room = true, true
	s, _ := d.enter(t)
	d.writeLater(s)
	if err := d.Ledger.Ledger.Close(); err != nil { // as a truncated file is
		t.Fatal(err)
	}
	if blocked := d.WriteStrikes(); len(blocked) > 0 || d.HasUnwritten() {
		t.Errorf("%d blocks, unwritten: %v", len(blocked), d.HasUnwritten())
	}
	d.line(t) // that the ledger is lost
	if line := d.line(t); !strings.Contains(line, ": could not be written to; lost: 1 strike") {
		t.Errorf("log: %s", line)
	}
}
