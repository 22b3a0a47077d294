package ledger

import (
	"testing"
	"time"
)

// A process that may only read sees what others see, without the lock, whatever they do with it,
// and cannot write.
func TestReadOnly(t *testing.T) {
	l := newLedger(t, MinClients)
	path := ledgerPath(t, l)
	begin(t, l, numbers(0, 3)...)
	must(t, l, func(tx *Tx) {
		tx.Count(2)
		tx.Remember(networkN(77), time.Hour)
		tx.Enter(from(hostN(1)), Self())
	})
	reader, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	look := func(when string) {
		t.Helper()
		n, live, err := reader.Report(Now())
		if err != nil || n.Verdicts[2] != 1 || n.Waiting != 1 || len(live) != 1 {
			t.Errorf("%s: %d, %d waiting, %v, %v", when, n.Verdicts[2], n.Waiting, live, err)
		}
		c, err := reader.CountNetworks(Now())
		if err != nil || c != (Networks{Known: 1, Blocked: 3}) {
			t.Errorf("%s: %+v, %v", when, c, err)
		}
		if _, err := reader.Lists(Now(), []string{"x"}); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		if _, _, err := reader.CountLookups(Now()); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	look("alone")
	must(t, l, func(*Tx) { look("while another process has the lock") })
	l.undo.setHolder(1) // it was killed then
	look("after a process was killed")
	l.undo.clearHolder()

	// It cannot write at all.
	if err := reader.Do(Now(), func(tx *Tx) { tx.Count(2) }); err == nil {
		t.Error("it could count")
	}
}

// After a reboot, before any other process has used the ledger, there are no sessions.
func TestReadOnlyAfterReboot(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) {
		tx.Count(2)
		tx.Enter(from(hostN(1)), Self())
	})
	l.header.boot[3]++
	l.header.bootSum = l.bootSum()
	l.state.lastWall -= time.Hour.Milliseconds()
	reader, err := OpenReadOnly(ledgerPath(t, l))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	n, live, err := reader.Report(Now())
	if err != nil || n.Verdicts[2] != 1 || len(live) != 0 || n.Waiting != 0 {
		t.Errorf("%d, %d waiting, %v, %v", n.Verdicts[2], n.Waiting, live, err)
	}
}
