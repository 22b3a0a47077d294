package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// impatient opens the ledger for one that has no time.
func impatient(t *testing.T, l *Ledger, patience time.Duration) *Ledger {
	t.Helper()
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	other.CrowdPatience = patience
	return other
}

// checkWaits tries five times and holds the median of how long that took against the patience, and each error against the
// one wanted.
func checkWaits(t *testing.T, l *Ledger, want error, patience time.Duration) {
	t.Helper()
	var all []time.Duration
	for range 5 {
		began := time.Now()
		err := l.Do(Now(), func(*Tx) { t.Error("worked without the lock") })
		all = append(all, time.Since(began))
		if err != want {
			t.Fatalf("with a patience of %v: %v; want %v", l.CrowdPatience, err, want)
		}
	}
	slices.Sort(all)
	if late := 2*lateness() + 10*time.Millisecond; all[0] < patience || all[2] > patience+late {
		t.Errorf("with a patience of %v: %v after %v; want %v (and %v)", l.CrowdPatience, want, all, patience, late)
	}
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
		checkWaits(t, impatient(t, l, patience), ErrCrowded, patience)
	}
	within(t, crowdPatience+100*time.Millisecond, "finding out without a bound of its own", func() {
		if err := impatient(t, l, 0).Do(Now(), func(*Tx) {}); err != ErrCrowded {
			t.Errorf("with no patience of its own: %v", err)
		}
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
		checkWaits(t, impatient(t, l, patience), ErrBusy, patience)
	}
	checkWaits(t, impatient(t, l, time.Second), ErrBusy, Patience)
}

// asleepIn has a thread of this process sleep with the lock in its hand until it is woken.
func asleepIn(t *testing.T, l *Ledger) (wake func()) {
	t.Helper()
	held, until, done := make(chan bool), make(chan bool), make(chan error)
	go func() {
		done <- l.Do(Now(), func(*Tx) {
			held <- true
			<-until
		})
	}()
	<-held
	return func() {
		close(until)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// One that sleeps is found out in several tries, where one would be too short to tell it from a crowd.
func TestStopPatienceWithOneAsleep(t *testing.T) {
	l := newLedger(t, MinClients)
	wake := asleepIn(t, l)
	other := impatient(t, l, 5*time.Millisecond)
	began := time.Now()
	var err error
	tries := 0
	for ; err != ErrBusy && time.Since(began) < time.Second; tries++ {
		if err = other.Do(Now(), func(*Tx) { t.Error("worked without the lock") }); err != ErrBusy && err != ErrCrowded {
			t.Fatal(err)
		}
	}
	took := time.Since(began)
	if err != ErrBusy || took < 2*Patience || took > 3*Patience+4*lateness() || tries < 3 {
		t.Errorf("after %v and %d tries: %v; want ErrBusy after %v", took, tries, err, 2*Patience)
	}
	checkWaits(t, other, ErrBusy, 5*time.Millisecond)
	wake()

	// What is known of one that slept is not held against the next.
	wake = asleepIn(t, l)
	if err := other.Do(Now(), func(*Tx) {}); err != ErrCrowded {
		t.Errorf("at the first try with another that sleeps: %v", err)
	}
	wake()
	must(t, other, func(*Tx) {})
}
