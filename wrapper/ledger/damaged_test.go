package ledger

import (
	"strings"
	"testing"
	"time"
)

// If a foreign process writes into the undo log during an operation, the ledger is lost, and no
// process ends.
func TestLostUndoLog(t *testing.T) {
	for _, used := range []uint64{undoSize, 1 << 62, 1<<63 - 8, 1<<64 - 8, 13, 8, 0} {
		l := newLedger(t, MinClients)
		err := l.Do(Now(), func(tx *Tx) {
			l.undo.used.Store(used)
			tx.Block(networkN(1), time.Hour, "test", Penalty{})
		})
		if err != ErrLost || !l.Replaced() {
			t.Errorf("with %d bytes: %v", used, err)
		}
		if _, err := openExisting(l.path, ThisBoot()); err == nil ||
			!strings.Contains(err.Error(), "was damaged while it was in use") {
			t.Errorf("with %d bytes, opened to read: %v", used, err)
		}
		fresh, notes := mustOpen(t, l.path, MinClients)
		if len(notes) != 1 || !strings.Contains(notes[0],
			"was damaged while it was in use; set aside as ") {
			t.Errorf("with %d bytes: %q", used, notes)
		}
		mustAudit(t, fresh)
	}
}

// The counts of a damaged state are reported as no more than there can be.
func TestHonestCounts(t *testing.T) {
	for _, n := range []uint32{814285110, 1 << 31, 1<<32 - 1} {
		m := newMachine(t, time.Now())
		m.do(func(tx *Tx) {
			tx.Enter(from(hostN(1)), Self())
			s := tx.state()
			s.waiting, s.serving, s.clients = n, n, n
		})
		total, _, err := m.l.Report(m.now)
		if err != nil || total.Clients != MinClients || total.Waiting != 1 || total.Serving != 0 {
			t.Errorf("%d: %v, %d clients, %d waiting, %d serving", n, err,
				total.Clients, total.Waiting, total.Serving)
		}
		m.reboot(time.Minute, 0)
		m.do(func(*Tx) {})
		if got := m.l.takeForgotten(); got != minSlots {
			t.Errorf("%d: %d sessions are forgotten; want %d", n, got, minSlots)
		}
	}
}

// A program neither shortens a block by hand nor changes its reason.
func TestBoundedByHandStays(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	mustAt(t, l, now, func(tx *Tx) {
		tx.BlockByHand(networkN(1), 24*time.Hour, "legal", Penalty{})
		if d := tx.Block(networkN(1), time.Minute, "fail2ban", Penalty{}); d != 24*time.Hour {
			t.Errorf("it runs for %v", d)
		}
		if s := tx.Look(from(hostN(1))); s.Reason != "legal" || s.BlockLeft != 24*time.Hour {
			t.Errorf("%+v", s)
		}
	})
}
