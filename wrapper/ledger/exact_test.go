package ledger

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// arriveRole is one of many processes whose clients arrive: PATH, NUMBER of arrivals.
func arriveRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(args[1])
	self := Self()
	fmt.Println("ready")
	waitForLine()
	a := from(hostN(1))
	a.Limits = Limits{Rate: 1 << 30, Per: time.Hour}
	for range n {
		err := untilFree(func() error {
			return l.Do(Now(), func(t *Tx) {
				s, _ := t.Enter(a, self)
				t.Leave(s)
				t.Count(1)
				t.Spoke(0)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// untilFree repeats work that could not have the lock. A caller would carry on without the ledger,
// but a test counts, and on a slow machine a second may be too short for a crowd.
func untilFree(work func() error) (err error) {
	for began := time.Now(); time.Since(began) < lab.Patience; {
		if err = work(); !held(err) {
			break
		}
	}
	return err
}

// held says whether the error is that other processes had the lock.
func held(err error) bool { return errors.Is(err, ErrBusy) || errors.Is(err, ErrCrowded) }

// P processes with N arrivals each are P×N arrivals.
func TestExactArrivals(t *testing.T) {
	const processes, arrivals = 8, 2500
	l := newLedger(t, MinClients)
	var all []*child
	for range processes {
		all = append(all, start(t, "arrive", ledgerPath(t, l), fmt.Sprint(arrivals)))
	}
	for _, c := range all {
		c.line(t)
	}
	for _, c := range all {
		c.tell(t, "go")
	}
	for _, c := range all {
		if err := c.end(); err != nil {
			t.Fatal(err)
		}
	}
	const want = processes * arrivals
	must(t, l, func(tx *Tx) {
		a := from(hostN(1))
		a.Limits = Limits{Rate: 1 << 30, Per: time.Hour}
		s, n := tx.Look(a), tx.Totals()
		if s.Arrivals != want || n.Verdicts[1] != want || n.Spoke[0] != want {
			t.Errorf("%d arrivals, %d verdicts, %d early talkers; want %d of each", s.Arrivals,
				n.Verdicts[1], n.Spoke[0], want)
		}
		if s.Conns != 0 || n.Waiting != 0 {
			t.Errorf("%d sessions, %d waiting; all have left", s.Conns, n.Waiting)
		}
	})
	mustAudit(t, l)
}

// crowdRole is one client of a crowd, at the same moment as all others. If it gets in it stays
// until the parent sends a line: LEDGER, GATE.
func crowdRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	gate, err := unix.Open(args[1], unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	self, said := Self(), "no"
	fmt.Println("ready")
	if err := unix.Flock(gate, unix.LOCK_SH); err != nil {
		return err
	}
	err = l.Do(Now(), func(t *Tx) {
		if crowdEnters(t, self) {
			said = "yes"
		}
	})
	if errors.Is(err, ErrBusy) {
		said = "busy"
	} else if err != nil && err != ErrCrowded { // a crowded ledger admits no client
		return err
	}
	fmt.Println(said)
	waitForLine()
	return nil
}

const crowdConns, crowdRate = 5, 7

func crowdEnters(t *Tx, self Process) bool {
	a := from(hostN(1))
	a.Limits = Limits{Serving: 300, Waiting: 2000, Conns: crowdConns, Rate: crowdRate,
		Per: time.Hour}
	s := t.Look(a)
	if s.Conns >= crowdConns || s.Arrivals >= crowdRate {
		return false
	}
	_, ok := t.Enter(a, self)
	return ok
}

// crowd lets n clients arrive at once, a process each, counts their answers, and ends them.
func crowd(t *testing.T, program, path string, n int) map[string]int {
	t.Helper()
	return crowdOf(t, program, path, n, "crowd")
}

// crowdOf is crowd with another role. Each process gets its number.
func crowdOf(t *testing.T, program, path string, n int, role string) map[string]int {
	t.Helper()
	gate, err := unix.Open(path+".gate", unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err == nil {
		err = unix.Flock(gate, unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []*child
	for i := range n {
		all = append(all, startAs(t, program, nil, nil, role, path, path+".gate", fmt.Sprint(i)))
	}
	for _, c := range all {
		c.line(t)
	}
	if err := unix.Close(gate); err != nil {
		t.Fatal(err)
	}
	said := map[string]int{}
	for _, c := range all {
		said[c.line(t)]++
	}
	for _, c := range all {
		c.tell(t, "end")
		if err := c.end(); err != nil {
			t.Error(err)
		}
	}
	return said
}

// Of a thousand clients that come at once with a limit of 5, exactly 5 get in. Of those that come
// when these have gone, the two get in that the rate still allows. None has to do without the
// ledger.
func TestExactConnsOfAThousand(t *testing.T) {
	program := plainProgram(t) // a thousand race detectors have no room
	for try := 1; ; try++ {
		l := newLedger(t, MinClients)
		busy := 0
		for _, wave := range []struct{ come, enter int }{{1000, crowdConns},
			{50, crowdRate - crowdConns}, {50, 0}} {
			said := crowd(t, program, ledgerPath(t, l), wave.come)
			if said["yes"] != wave.enter {
				t.Errorf("of %d at once %d got in; want %d", wave.come, said["yes"], wave.enter)
			}
			busy += said["busy"]
		}
		mustAudit(t, l)
		t.Logf("%d of 1100 found the ledger held too long", busy)
		if busy == 0 || t.Failed() {
			return
		}
		if try == 10 { // now and then the machine lets one sleep that has the lock
			t.Fatalf("%d would have got in since the ledger was held too long, though nobody "+
				"was stopped", busy)
		}
	}
}

// askRole is a process that would ask DNS about a client, at the same moment as all others. If it
// is to ask it does so until the parent sends a line: LEDGER, GATE.
func askRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	gate, err := unix.Open(args[1], unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	self, said := Self(), "no"
	fmt.Println("ready")
	if err := unix.Flock(gate, unix.LOCK_SH); err != nil {
		return err
	}
	now := Now() // a claim does not hold for as long as a crowd may take to start
	err = untilFree(func() error {
		return l.Do(now, func(t *Tx) {
			if t.ClaimLookup(hostN(1), of, self) {
				said = "yes"
			}
			if t.ClaimListTest("bl.example", time.Hour) {
				said += " and tests"
			}
		})
	})
	if err != nil {
		return err
	}
	fmt.Println(said)
	waitForLine()
	return nil
}

// Of many processes that would ask about one client at once, exactly one does; if it ends without a
// result, exactly one of the next. So it is with the test of a list, but that is claimed for a
// minute.
func TestExactLookups(t *testing.T) {
	const processes = 100
	program := plainProgram(t)
	l := newLedger(t, MinClients)
	for wave := range 3 {
		said := crowdOf(t, program, ledgerPath(t, l), processes, "ask")
		ask, test := said["yes"]+said["yes and tests"], said["no and tests"]+said["yes and tests"]
		if ask != 1 {
			t.Errorf("wave %d: %d of %d ask; want one", wave, ask, processes)
		}
		if test > 1 || wave == 0 && test != 1 {
			t.Errorf("wave %d: %d of %d test the list; want one a minute", wave, test, processes)
		}
	}
	must(t, l, func(tx *Tx) { tx.KeepLookup(hostN(1), of, []byte("x"), time.Hour) })
	if said := crowdOf(t, program, ledgerPath(t, l), processes, "ask"); said["yes"]+
		said["yes and tests"] != 0 {
		t.Errorf("with a result %v ask", said)
	}
	mustAudit(t, l)
}
