package ledger

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// One process a minute logs what all find, each text separately, and another text at once.
func TestLogOnceAMinute(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	const another = "another mistake"
	for _, tt := range []struct {
		at   time.Duration
		by   *Ledger
		text string
		want bool
	}{
		{1000, l, "a mistake", true}, {1000, other, "a mistake", false},
		{1030, l, "a mistake", false}, {1030, l, another, true}, {1059, other, "a mistake", false},
		{1060, other, "a mistake", true}, {1089, l, another, false},
		{1119, l, "a mistake", false}, {1120, l, "a mistake", true},
		{20, other, "a mistake", true}, {79, l, "a mistake", false}, // after a reboot
	} {
		if got := tt.by.ClaimLog(Moment{tt.at * time.Second, time.Now()}, tt.text); got != tt.want {
			t.Errorf("%d: %s: %v", tt.at, tt.text, got)
		}
	}
}

// Several texts that alternate do not displace one another.
func TestLogSeveral(t *testing.T) {
	for range 50 { // each with another seed
		l, logged, now := newLedger(t, MinClients), 0, Now()
		for range 10 {
			for text := range len(l.unlocked.logged) {
				if l.ClaimLog(now, fmt.Sprint("mistake ", text)) {
					logged++
				}
			}
		}
		if logged != len(l.unlocked.logged) {
			t.Fatalf("%d lines; want %d", logged, len(l.unlocked.logged))
		}
	}
}

// Of a crowd that comes at once one logs.
func TestLogOfACrowd(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	for round := range 200 {
		var crowd sync.WaitGroup
		var logged atomic.Int32
		for range 8 {
			crowd.Go(func() {
				if l.ClaimLog(now, fmt.Sprint("mistake ", round)) {
					logged.Add(1)
				}
			})
		}
		if crowd.Wait(); logged.Load() != 1 {
			t.Fatalf("round %d: %d log", round, logged.Load())
		}
	}
}

// Whatever is in the file, some process logs. With a lost file every process does.
func TestLogWhateverTheFileSays(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	l.ClaimLog(now, "a mistake")
	for i := range l.unlocked.logged {
		if at := l.unlocked.logged[i].Load(); at != 0 {
			l.unlocked.logged[i].Store(at&math.MaxUint32 | math.MaxUint32<<32) // of the future
		}
	}
	if !l.ClaimLog(now, "a mistake") || l.ClaimLog(now, "a mistake") {
		t.Error("a time to come: it is not told once")
	}
	l.lost = true
	for range 2 {
		if !l.ClaimLog(now, "a mistake") {
			t.Error("a lost file keeps it from being told")
		}
	}
	l.lost = false
}
