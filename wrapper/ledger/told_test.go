package ledger

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// One in a minute tells of what all find, each text for itself, and again at once of another.
func TestTellsOnceAMinute(t *testing.T) {
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
		if got := tt.by.Tells(Moment{tt.at * time.Second, time.Now()}, tt.text); got != tt.want {
			t.Errorf("%d: %s: %v", tt.at, tt.text, got)
		}
	}
}

// Several texts that are told in turn do not push one another out.
func TestTellsSeveral(t *testing.T) {
	for range 50 { // each with another seed
		l, told, now := newLedger(t, MinClients), 0, Now()
		for range 10 {
			for text := range len(l.apart.told) {
				if l.Tells(now, fmt.Sprint("mistake ", text)) {
					told++
				}
			}
		}
		if told != len(l.apart.told) {
			t.Fatalf("%d lines; want %d", told, len(l.apart.told))
		}
	}
}

// Of a crowd that comes at once one tells.
func TestTellsOfACrowd(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	for round := range 200 {
		var crowd sync.WaitGroup
		var told atomic.Int32
		for range 8 {
			crowd.Go(func() {
				if l.Tells(now, fmt.Sprint("mistake ", round)) {
					told.Add(1)
				}
			})
		}
		if crowd.Wait(); told.Load() != 1 {
			t.Fatalf("round %d: %d tell", round, told.Load())
		}
	}
}

// Whatever stands in the file, somebody tells, and of a file that is lost everybody.
func TestTellsWhateverStands(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	l.Tells(now, "a mistake")
	for i := range l.apart.told {
		if at := l.apart.told[i].Load(); at != 0 {
			l.apart.told[i].Store(at&math.MaxUint32 | math.MaxUint32<<32) // of the future
		}
	}
	if !l.Tells(now, "a mistake") || l.Tells(now, "a mistake") {
		t.Error("a time to come: it is not told once")
	}
	l.lost = true
	for range 2 {
		if !l.Tells(now, "a mistake") {
			t.Error("a lost file keeps it from being told")
		}
	}
	l.lost = false
}
