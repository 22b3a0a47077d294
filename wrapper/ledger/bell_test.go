package ledger

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// rings waits for the bell as a process does that has found the lock held, at most for that time.
func rings(b *bell, rung uint32) (woken chan bool) {
	woken = make(chan bool)
	go func() {
		b.wait(rung, 10*lab.Patience)
		close(woken)
	}()
	return woken
}

// The bell wakes one waiting process, also one that has called listen but does not sleep yet. It is
// not rung while no process waits.
func TestStopBell(t *testing.T) {
	l := newLedger(t, MinClients)
	b := &l.undo.bell
	b.ring()
	if b.rung.Load() != 0 {
		t.Error("it rings though nobody waits")
	}
	early := b.listen(true)
	b.ring()
	<-rings(b, early) // or the test never ends
	woken := rings(b, b.listen(true))
	lab.Eventually(t, "it wakes one that sleeps", func() bool {
		b.ring()
		select {
		case <-woken:
			return true
		default:
			b.listen(true)
			return false
		}
	})
}

// Whatever a damaged file says of the bell, work goes on.
func TestHonestBell(t *testing.T) {
	l := newLedger(t, MinClients)
	for _, word := range []uint32{1, 1<<32 - 1} {
		l.undo.bell.wanted.Store(word)
		l.undo.bell.rung.Store(word)
		must(t, l, func(*Tx) {})
		other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
		release, done := holds(t, l), make(chan error)
		go func() { done <- other.Do(Now(), func(*Tx) {}) }()
		lab.Eventually(t, "the other waits", func() bool { return l.undo.bell.wanted.Load() == 1 })
		l.undo.bell.wanted.Store(0) // so nobody is woken
		release()
		if err := <-done; err != nil {
			t.Errorf("with %d: %v", word, err)
		}
	}
}

// queueRole works with the lock twenty times, and waits for it however long others run: PATH.
func queueRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	l.CrowdPatience = lab.Patience
	for n := range 20 {
		// a turn of a length at which those who wait sleep
		err := l.Do(Now(), func(t *Tx) {
			t.Count(1)
			for began := time.Now(); time.Since(began) < time.Duration(n%3)*100*time.Microsecond; {
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// In a crowd of 200 processes, on busy processors, each process gets the lock.
func TestStopNobodyInACrowd(t *testing.T) {
	const processes = 200
	l := newLedger(t, MinClients)
	path, program := ledgerPath(t, l), plainProgram(t)
	var busy sync.WaitGroup
	var end atomic.Bool
	for range 8 {
		busy.Go(func() {
			for !end.Load() {
			}
		})
	}
	var all []*child
	for range processes {
		all = append(all, startAs(t, program, nil, nil, "queue", path))
	}
	for _, c := range all {
		if err := c.end(); err != nil {
			t.Error(err)
		}
	}
	end.Store(true)
	busy.Wait()
	must(t, l, func(tx *Tx) {
		if n := tx.Totals(); n.Verdicts[1] != processes*20 {
			t.Errorf("%d turns; want %d", n.Verdicts[1], processes*20)
		}
	})
}

// Each waiting process finds out that the holder of the lock is stopped, and processes that waited
// before the stop go on when the holder is killed.
func TestStopWakesNobodyInVain(t *testing.T) {
	l := newLedger(t, MinClients)
	c := start(t, "stop", "work", ledgerPath(t, l))
	c.untilStopped(t)
	var wg, found sync.WaitGroup
	for range 10 {
		other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
		found.Add(1)
		wg.Go(func() {
			err := other.Do(Now(), func(*Tx) {})
			if !errors.Is(err, ErrBusy) {
				t.Errorf("while it is stopped: %v", err)
			}
			found.Done()
			if err := untilFree(func() error { return other.Do(Now(), func(*Tx) {}) }); err != nil {
				t.Error(err)
			}
		})
	}
	found.Wait()
	_ = unix.Kill(c.Process.Pid, unix.SIGKILL)
	wg.Wait()
	_ = c.kill()
}
