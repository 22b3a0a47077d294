package ledger

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// impatient opens the ledger with a short patience.
func impatient(t *testing.T, l *Ledger, patience time.Duration) *Ledger {
	t.Helper()
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	other.CrowdPatience = patience
	return other
}

// timed is how long work takes.
func timed(work func()) time.Duration {
	began := time.Now()
	work()
	return time.Since(began)
}

// checkWaits tries a few times. It compares each error with the one wanted, and the time that it
// took with these bounds.
func checkWaits(t *testing.T, what string, least, most time.Duration, try func() error,
	want error) {
	t.Helper()
	lab.InTime(t, what, most, func(w *lab.Waits) {
		w.Measure(func() {
			var err error
			took := timed(func() { err = try() })
			if !errors.Is(err, want) || took < least {
				t.Fatalf("%s: %v after %v; want %v after %v at least", what, err, took, want, least)
			}
		})
	})
}

// checkPatience compares the time until an error with a patience.
func checkPatience(t *testing.T, l *Ledger, want error, patience time.Duration) {
	t.Helper()
	what := fmt.Sprintf("with a patience of %v", l.CrowdPatience)
	checkWaits(t, what, patience, patience+10*time.Millisecond, func() error {
		l.stall = stall{} // or one that computes is taken for one that hangs, after some tries
		return l.Do(Now(), func(*Tx) { t.Error("worked without the lock") })
	}, want)
}

// spinRole computes with the lock held, for so long that it has to be killed: LEDGER.
func spinRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	return l.Do(Now(), func(*Tx) {
		fmt.Println("ready")
		for n := 0; n < 1000e9; n++ { // no call, so that Go's scheduler cannot put it to sleep
		}
	})
}

// A process with a limited patience gets ErrCrowded when that is over, while the holder of the lock
// runs.
func TestStopPatienceInACrowd(t *testing.T) {
	l := newLedger(t, MinClients)
	c := startAs(t, plainProgram(t), nil, []string{"GODEBUG=asyncpreemptoff=1"}, "spin",
		ledgerPath(t, l))
	c.line(t)
	for _, patience := range []time.Duration{time.Millisecond, 10 * time.Millisecond,
		Patience + time.Millisecond, 100 * time.Millisecond} {
		checkPatience(t, impatient(t, l, patience), ErrCrowded, patience)
	}
	_ = c.kill()
	// A free lock is taken without any patience.
	for _, patience := range []time.Duration{1, 0, -time.Second} {
		must(t, impatient(t, l, patience), func(*Tx) {})
	}
}

// A stopped holder differs from a crowd however short the patience is: otherwise a room would
// refuse all clients because of it. The error names the process.
func TestStopPatienceWithOneStopped(t *testing.T) {
	l := newLedger(t, MinClients)
	c := start(t, "stop", "work", ledgerPath(t, l))
	c.untilStopped(t)
	for _, patience := range []time.Duration{time.Millisecond, 10 * time.Millisecond} {
		checkPatience(t, impatient(t, l, patience), ErrBusy, patience)
	}
	other := impatient(t, l, time.Second)
	checkPatience(t, other, ErrBusy, Patience)
	want := fmt.Sprintf("ledger is held by process %d, which is stopped; continue or kill it",
		c.Process.Pid)
	if err := other.Do(Now(), func(*Tx) {}); err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

// holds has a goroutine hold the lock until it is released. The process sleeps meanwhile.
func holds(t *testing.T, l *Ledger) (release func()) {
	t.Helper()
	has, until, done := make(chan bool), make(chan bool), make(chan error)
	go func() {
		done <- l.Do(Now(), func(*Tx) {
			close(has)
			<-until
		})
	}()
	<-has
	return func() {
		close(until)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// No process goes on without the ledger because the holder of the lock sleeps: it may have lost its
// processor, or wait for a page from the disk.
func TestStopIsNotSleep(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	release, got := holds(t, l), make(chan error)
	began := time.Now()
	go func() { got <- other.Do(Now(), func(*Tx) {}) }()
	select {
	case err := <-got:
		t.Errorf("after %v: %v", time.Since(began), err)
		release()
	case <-time.After(8 * Patience):
		release()
		if err := <-got; err != nil {
			t.Errorf("the holder has gone on: %v", err)
		}
	}
}

// A process that holds the lock for seconds is found out, in one try or in many, and what is known
// of it does not count against the next holder.
func TestStopTakesTooLong(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	release := holds(t, l)
	holder := l.undo.holder.Load()
	if err := stuck(other.fd, holder, stallPatience-1); err != nil {
		t.Errorf("a moment too early: %v", err)
	}
	want := fmt.Sprintf("ledger was held by process %d for 5s; see whether it or its disk hangs",
		os.Getpid())
	if err := stuck(other.fd, holder, stallPatience); err == nil || err.Error() != want ||
		!errors.Is(err, ErrBusy) {
		t.Errorf("%v; want %s", err, want)
	}
	other.CrowdPatience = 5 * time.Millisecond
	try := func() error { return other.Do(Now(), func(*Tx) { t.Error("worked without the lock") }) }
	if err := try(); err != ErrCrowded {
		t.Errorf("at first: %v", err)
	}
	other.stall.since = other.stall.since.Add(-stallPatience)
	if err := try(); !errors.Is(err, ErrBusy) {
		t.Errorf("after many tries: %v", err)
	}
	release()
	release = holds(t, l)
	if err := try(); err != ErrCrowded {
		t.Errorf("at the first try with another: %v", err)
	}
	release()
	must(t, other, func(*Tx) {})
}
