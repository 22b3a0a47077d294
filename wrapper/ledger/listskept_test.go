package ledger

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Of more lists than there is room for, the one that was not used for longest goes.
func TestListReplaces(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	zone := func(n int) string { return fmt.Sprint(n, ".example") }
	for n := range MaxLists {
		now = now.After(time.Second)
		mustAt(t, l, now, func(tx *Tx) { tx.PassListTest(zone(n)) })
	}
	mustAt(t, l, now, func(tx *Tx) { tx.CountList(zone(0), NotListed, 10) })
	now = now.After(time.Second)
	mustAt(t, l, now, func(tx *Tx) { tx.PassListTest("new.example") })
	for n := range MaxLists {
		if got := listAt(t, l, now, zone(n)); got.Tested == (n == 1) {
			t.Errorf("list %d: %+v", n, got)
		}
	}
	if !listAt(t, l, now, "new.example").Tested {
		t.Error("the new one is not known")
	}
	// All of them are counted in one piece of work.
	mustAt(t, l, now, func(tx *Tx) {
		for n := range MaxLists {
			tx.CountList(zone(n), Listed, 10)
		}
		tx.KeepLookup(hostN(1), of, []byte("x"), time.Hour)
		tx.Enter(from(hostN(1)), nobody)
	})
}

// What is known of lists survives a reboot and a file of another size; and no zone is in the file.
func TestListSurvives(t *testing.T) {
	path, now := filepath.Join(ownDir(t), "ledger"), Now()
	const zone = "secretkey.zen.dq.example"
	l, _, err := Open(path, MinClients, bootN(1))
	if err != nil {
		t.Fatal(err)
	}
	mustAt(t, l, now, func(tx *Tx) {
		tx.CountList(zone, Listed, 10)
		tx.SetListAside(zone, "timeout", 30*time.Minute)
	})
	shut(l)
	now.Boot, now.Wall = time.Minute, now.Wall.Add(10*time.Minute)
	for _, clients := range []int{MinClients, 4 * MinClients} {
		l, _, err := openBy(path, clients, bootN(2), func() Moment { return now })
		if err != nil {
			t.Fatal(err)
		}
		if got := listAt(t, l, now, zone); got.Asked != 1 || got.Aside != 20*time.Minute ||
			got.Why != "timeout" {
			t.Errorf("clients=%d: %+v", clients, got)
		}
		shut(l)
	}
	image, err := os.ReadFile(path)
	if err != nil || bytes.Contains(image, []byte("secretkey")) ||
		bytes.Contains(image, []byte("example")) {
		t.Errorf("the zone is in the file: %v", err)
	}
	// In another file it has another sum.
	other := newLedger(t, MinClients)
	if l := mustOpenAt(t, path, 4*MinClients); l.zoneSum(zone) == other.zoneSum(zone) {
		t.Error("the sum of a zone does not depend on the file")
	}
}

// Whatever the bytes of a list's entry are, it is set aside for a day at most, has listed no more
// addresses than it has answered, and is tested in the end.
func TestHonestList(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	const zone = "bl.example"
	mustAt(t, l, now, func(tx *Tx) {
		tx.PassListTest(zone)
		e := l.findList(l.zoneSum(zone))
		times := []int64{math.MinInt64, -1, 0, 1, tx.now - 1, tx.now, tx.now + 1,
			tx.now + longestAside.Milliseconds(), tx.now + longestAside.Milliseconds() + 1,
			math.MaxInt64}
		for _, at := range times {
			for _, n := range []uint32{0, 1, 200, math.MaxInt32, math.MaxUint32} {
				*e = list{zone: e.zone, testedAt: at, claimedAt: at, asideTill: at, usedAt: at,
					failures: n, answers: n / 2, hits: n, lastAnswers: n / 3, lastHits: n,
					passed: 2, missed: uint8(n), inRow: uint8(n), unheardAt: at}
				copy(e.why[:], "\xff\x00")
				got := tx.List(zone)
				if got.Aside < 0 || got.Aside > longestAside || got.RecentListed > got.Recent ||
					got.Recent < 0 || got.Tested || got.Why != "" || got.Unheard < 0 {
					t.Errorf("%d, %d: %+v", at, n, got)
				}
				future := at > tx.now && got.Aside == 0
				if future && !tx.ClaimListTest(zone, time.Hour) {
					t.Errorf("%d, %d: it is never tested", at, n)
				}
				for a := range Unheard + 1 {
					c := tx.CountList(zone, a, 200)
					if c.Failures < 0 || c.OfWindow < -1 || c.OfWindow > 200 || c.Unheard < 0 {
						t.Errorf("%d, %d: %+v", at, n, c)
					}
				}
				if m := tx.MissListTest(zone, true); m < 1 {
					t.Errorf("%d, %d: missed %d times", at, n, m)
				}
				tx.checkpoint()
			}
		}
	})
}
