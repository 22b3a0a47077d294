package ledger

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// impatient opens the ledger for one that has no time.
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

// checkWaits tries a few times, and holds each error against the one wanted and the time that
// it took against these bounds.
func checkWaits(t *testing.T, what string, least, most time.Duration, try func() error, want error) {
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

// checkPatience holds how long it takes to get an error against a patience.
func checkPatience(t *testing.T, l *Ledger, want error, patience time.Duration) {
	t.Helper()
	what := fmt.Sprintf("with a patience of %v", l.CrowdPatience)
	checkWaits(t, what, patience, patience+10*time.Millisecond, func() error {
		return l.Do(Now(), func(*Tx) { t.Error("worked without the lock") })
	}, want)
}

// spinRole computes with the lock in its hand, for so long that it has to be killed: LEDGER.
func spinRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	return l.Do(Now(), func(*Tx) {
		fmt.Println("ready")
		for n := 0; n < 100e9; n++ { // no call, so that Go's scheduler cannot put it to sleep
		}
	})
}

// One that sets a shorter bound is told that the ledger is crowded when that is over, be it shorter than Patience or longer.
func TestStopPatienceInACrowd(t *testing.T) {
	l := newLedger(t, MinClients)
	c := startAs(t, plainProgram(t), nil, []string{"GODEBUG=asyncpreemptoff=1"}, "spin", ledgerPath(t, l))
	c.line(t)
	for _, patience := range []time.Duration{time.Millisecond, 10 * time.Millisecond, Patience + time.Millisecond, 100 * time.Millisecond} {
		checkPatience(t, impatient(t, l, patience), ErrCrowded, patience)
	}
	other := impatient(t, l, 0)
	most := crowdPatience + 10*time.Millisecond
	lab.InTime(t, "with no patience of its own", most, func(w *lab.Waits) {
		w.Measure(func() {
			if err := other.Do(Now(), func(*Tx) {}); err != ErrCrowded {
				t.Errorf("with no patience of its own: %v", err)
			}
		})
	})
	_ = c.kill()
	for _, patience := range []time.Duration{1, 0, -time.Second} { // one that is free is had with no patience at all
		must(t, impatient(t, l, patience), func(*Tx) {})
	}
}

// One that is stopped is told from a crowd however short the patience: else a room would refuse everybody for its sake.
func TestStopPatienceWithOneStopped(t *testing.T) {
	l := newLedger(t, MinClients)
	c := start(t, "stop", "work", ledgerPath(t, l))
	c.untilStopped(t)
	for _, patience := range []time.Duration{time.Millisecond, 10 * time.Millisecond} {
		checkPatience(t, impatient(t, l, patience), ErrBusy, patience)
	}
	checkPatience(t, impatient(t, l, time.Second), ErrBusy, Patience)
}

// asleepIn has a thread of this process sleep with the lock in its hand until it is woken.
func asleepIn(t *testing.T, l *Ledger) (wake func()) {
	t.Helper()
	held, until, done := make(chan int), make(chan bool), make(chan error)
	go func() {
		done <- l.Do(Now(), func(*Tx) {
			held <- unix.Gettid()
			<-until
		})
	}()
	tid := <-held
	lab.Eventually(t, "the thread sleeps", func() bool { return threadState(tid) == asleep })
	return func() {
		close(until)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// One that sleeps is found out in several tries, where one would be too short to tell it from a crowd.
func TestStopPatienceWithOneAsleep(t *testing.T) {
	const patience = 5 * time.Millisecond
	l := newLedger(t, MinClients)
	wake := asleepIn(t, l)
	other := impatient(t, l, patience)
	try := func() error {
		return other.Do(Now(), func(*Tx) { t.Error("worked without the lock") })
	}
	var err error
	tries := 0
	took := timed(func() {
		for err = ErrCrowded; err == ErrCrowded && tries < 100; tries++ {
			err = try()
		}
	})
	// Each try lasts as long as the patience, so the last one has seen it sleep for long enough.
	if err != ErrBusy || took < 2*Patience || tries > int(2*Patience/patience) {
		t.Errorf("after %v and %d tries: %v; want ErrBusy after %v", took, tries, err, 2*Patience)
	}
	checkPatience(t, other, ErrBusy, patience)
	wake()

	// What is known of one that slept is not held against the next.
	lab.Eventually(t, "at the first try with another that sleeps it is crowded", func() bool {
		defer asleepIn(t, l)()
		took := timed(func() { err = try() })
		if err != ErrCrowded && (err != ErrBusy || took < 2*Patience) {
			t.Fatalf("at the first try with another that sleeps: %v after %v", err, took)
		}
		return err == ErrCrowded // else the machine has overslept
	})
	must(t, other, func(*Tx) {})
}
