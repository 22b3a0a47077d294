package ledger

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A reader never sees half of another process's work, and takes the lock once.
func TestReadIsWhole(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	begin(t, l, numbers(0, 50)...)
	stop, writing := make(chan bool), sync.WaitGroup{}
	writing.Go(func() { // length and reason of each block change together
		for n := 1; ; n = n%20 + 1 {
			select {
			case <-stop:
				return
			default:
			}
			err := untilFree(func() error {
				return other.Do(Now(), func(tx *Tx) {
					for i := range 10 {
						tx.BlockByHand(networkN(i), time.Duration(n)*time.Hour, fmt.Sprint("h", n),
							Penalty{})
					}
				})
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 300 {
		if t.Failed() {
			break
		}
		blocks, err := l.Blocks(Now())
		if err != nil || len(blocks) != 50 {
			t.Errorf("%d blocks, %v; want 50", len(blocks), err)
		}
		for _, b := range blocks {
			h := fmt.Sprint("h", int((b.Left+b.Age+time.Second)/time.Hour))
			if b.Reason != "test" && b.Reason != h {
				t.Errorf("%v is blocked for %v because of %s", b.Network, b.Left+b.Age, b.Reason)
			}
		}
	}
	close(stop)
	writing.Wait()
}

// A copy that other processes disturb is taken again. One that always fails is given up.
func TestReadIsTakenAgain(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	for _, disturbed := range []int{0, 1, 5} {
		looks := 0
		ok := l.undisturbed(readTries, func() {
			if looks++; looks <= disturbed {
				must(t, other, func(*Tx) {})
			}
		})
		if !ok || looks != disturbed+1 {
			t.Errorf("disturbed %d times: %d looks, %v", disturbed, looks, ok)
		}
	}
	if l.undisturbed(readTries, func() { must(t, other, func(*Tx) {}) }) {
		t.Error("one that was disturbed each time takes it for good")
	}
}

// However much there is to read, a reader holds the lock once, for one short operation.
func TestReadTakesTheLockOnce(t *testing.T) {
	l := newLedger(t, 65536)
	populate(t, l, Now(), Self())
	for what, read := range map[string]func() error{
		"blocks": func() error { _, err := l.Blocks(Now()); return err },
		"report": func() error { _, _, err := l.Report(Now()); return err },
		"unblock": func() error {
			_, err := l.Unblock(Now(),
				netip.MustParsePrefix("203.0.113.0/24"))
			return err
		},
		"peek": func() error {
			if _, ok := l.Peek(Now(), from(hostN(1))); !ok {
				return ErrCrowded
			}
			return nil
		},
	} {
		before := l.undo.holder.Load() >> 32
		if err := read(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		want := uint64(1)
		if what == "peek" {
			want = 0
		}
		if n := l.undo.holder.Load()>>32 - before; n != want {
			t.Errorf("%s takes the lock %d times; want %d", what, n, want)
		}
	}
}

// Report returns what Totals and Sessions do, but frees nothing.
func TestReadReports(t *testing.T) {
	l := newLedger(t, MinClients)
	populate(t, l, Now(), Self())
	dead := Process{PID: unix.Getpid(), Start: 1}
	must(t, l, func(tx *Tx) { tx.Enter(from(hostN(1)), dead) })
	l.CountUnlocked(1)
	l.CountUnlocked(Verdicts)
	l.CountFailOpen(&HeldError{Stopped: true})
	before := content(l)
	n, live, err := l.Report(Now())
	if err != nil {
		t.Fatal(err)
	}
	if found := content(l); string(found) != string(before) {
		t.Error(difference(before, found))
	}
	if len(live) != n.Waiting+n.Serving || n.Open[HeldByStopped] != 1 || n.Open[HeldTooLong] != 0 {
		t.Errorf("%d sessions, %+v", len(live), n)
	}
	must(t, l, func(tx *Tx) {
		want, sessions := tx.Totals(), tx.Sessions()
		const apart = 10 * time.Millisecond // two readings of two clocks
		if n.Since.Sub(want.Since).Abs() > apart ||
			n.Recent.Since.Sub(want.Recent.Since).Abs() > apart {
			t.Errorf("since %v, %v", n.Since, n.Recent.Since)
		}
		n.Since, n.Recent.Since = want.Since, want.Recent.Since
		if got := fmt.Sprintf("%+v", n); got != fmt.Sprintf("%+v", want) ||
			len(sessions) != len(live) {
			t.Errorf("%s, %d sessions; want %+v, %d", got, len(live), want, len(sessions))
		}
	})
}

// A reader sees nothing that a killed process has left half done. Other processes do not wait for a
// reader that finds the lock held by a stopped process.
func TestReadAfterAKill(t *testing.T) {
	l := newLedger(t, MinClients)
	c := start(t, "stop", "work", ledgerPath(t, l))
	c.untilStopped(t)
	checkWaits(t, "a report", Patience, promised,
		func() error { _, _, err := l.Report(Now()); return err }, ErrBusy)
	if err := c.kill(); err == nil {
		t.Fatal("the child ended by itself")
	}
	n, live, err := l.Report(Now())
	if err != nil || n.Verdicts[5] != 0 || len(live) != 0 {
		t.Errorf("%+v, %d sessions, %v", n.Verdicts, len(live), err)
	}
	if s, ok := l.Peek(Now(), from(hostN(2))); !ok || s.Strikes != 0 {
		t.Errorf("%+v, %v", s, ok)
	}
}
