package ledger

import (
	"os"
	"testing"
	"time"
)

// What is done together is done under one lock, each work by itself: one that fails undoes nothing
// that came before it, and a process that is killed between two of them neither.
func TestExactTogether(t *testing.T) {
	h, other, _ := newHandle(t, Options{Many: true, Room: aRoom()})
	block := func(n int) error {
		return h.Run(func(tx *Tx) { tx.Block(networkN(n), time.Hour, "test", Penalty{}) })
	}
	before := h.undo.holder.Load() >> 32
	h.Together(func() {
		for n := range 100 { // more than one undo log holds
			if err := block(n); err != nil {
				t.Fatal(err)
			}
		}
		if h.undo.used.Load() == 0 { // the next process would undo the state alone
			t.Error("nothing is saved")
		}
		other.rollback() // as if we had been killed here
	})
	if locks := h.undo.holder.Load()>>32 - before; locks != 1 {
		t.Errorf("locked %d times", locks)
	}
	for n := range 100 {
		mustAt(t, other, Now(), func(tx *Tx) {
			if !tx.Look(from(hostN(n))).Blocked {
				t.Errorf("work %d was undone", n)
			}
		})
	}
	if err := block(100); err != nil || h.together.started {
		t.Errorf("afterwards: %v, together %v", err, h.together.started)
	}
}

// Without the lock, each work gets the error. So does each that comes after one that found the
// ledger lost or written to by a foreign process, and the ledger is closed in the end.
func TestLostTogether(t *testing.T) {
	for what, spoil := range map[string]func(*Handle) error{
		"truncated":  func(h *Handle) error { return os.Truncate(h.Path, 0) },
		"written to": func(h *Handle) error { h.undo.used.Add(8); return nil },
	} {
		h, _, log := newHandle(t, Options{Many: true, Room: aRoom()})
		h.restReason, h.restUntil = ErrCrowded, h.Now().Boot+time.Hour
		done := 0
		h.Together(func() {
			for range 3 {
				if err := h.Run(func(*Tx) { done++ }); err != ErrCrowded {
					t.Errorf("%s, resting: %v", what, err)
				}
			}
		})
		h.restUntil = 0
		var errs []error
		h.Together(func() {
			for n := range 3 {
				errs = append(errs, h.Run(func(tx *Tx) {
					if done++; n == 1 {
						if err := spoil(h); err != nil {
							t.Fatal(err)
						}
						tx.Block(networkN(1), time.Hour, "test", Penalty{})
					}
				}))
			}
		})
		if done != 2 || errs[0] != nil || errs[1] != ErrLost || errs[2] != ErrLost {
			t.Errorf("%s: %d works done: %v", what, done, errs)
		}
		if h.IsOpen() || len(log.lines) != 1 {
			t.Errorf("%s: open %v; log %q", what, h.IsOpen(), log.lines)
		}
	}
}
