package wrapper

import (
	"errors"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
)

// A room that could not have the ledger leaves it alone for a while, even if it is free by then:
// else each of its clients would wait for the lock, and all others with it.
func TestLedgerRests(t *testing.T) {
	for _, want := range []error{ledger.ErrCrowded, ledger.ErrBusy} {
		patience, least := time.Millisecond, crowdedRest
		if want == ledger.ErrBusy {
			patience, least = time.Minute, busyRest
		}
		d := open(t, "", "")
		d.Process.Shared, d.room = true, true
		d.Ledger.CrowdPatience = patience
		release := d.hold(t)
		began := ledger.Now().Boot
		err := d.inLedger(func(*ledger.Tx) { t.Error("worked without the lock") })
		release()
		if rests := d.pause.until - began; !errors.Is(err, want) || rests < least {
			t.Fatalf("%v; rests for %v; want %v at least", err, rests, least)
		}
		asked := false
		ask := func() error { return d.inLedger(func(*ledger.Tx) { asked = true }) }
		d.pause.until += time.Hour // so that it is not over meanwhile
		if again := ask(); again != err || asked {
			t.Errorf("%v, then %v, asked %v", err, again, asked)
		}
		d.pause.until = 0
		if err := ask(); err != nil || !asked {
			t.Errorf("when the rest is over: %v, asked %v", err, asked)
		}
	}
}

// hold has another holder take the lock of the ledger and keep it.
func (d *doorway) hold(t *testing.T) (release func()) {
	t.Helper()
	l, _, err := ledger.Open(d.Config.Ledger.Path, d.Config.Ledger.Clients, ledger.ThisBoot())
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
