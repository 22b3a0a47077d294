package ledger

import (
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hammerRole works without end. Three counts always change together: PATH.
func hammerRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	self := Self()
	fmt.Println("ready")
	parent := unix.Getppid()
	for n := rand.IntN(1000); unix.Getppid() == parent; n++ {
		a := from(hostN(n % 100))
		a.Limits = Limits{Serving: 100, Waiting: 100, Conns: 3, Rate: 1000, Per: time.Minute}
		var s Session
		err := l.Do(Now(), func(t *Tx) {
			t.Look(a) // frees the dead as work of its own, so it comes first
			t.Count(1)
			t.Count(2)
			s, _ = t.Enter(a, self)
			if n%3 == 0 {
				t.Serve(s)
			}
			t.Spoke(0)
			if n%5 == 0 {
				t.BadRcpt(a.Network, time.Hour)
				t.Block(networkN(1000+n%200), time.Minute, "test", Penalty{})
				t.Count(5)
			}
		})
		if err == nil && n%2 == 0 {
			err = l.Do(Now(), func(t *Tx) { t.Leave(s) })
		}
		if err != nil && !held(err) {
			return err
		}
	}
	return nil
}

// Processes are killed at random moments, again and again, while others work.
func TestCrashUnderFire(t *testing.T) {
	const hammers, kills = 4, 150
	l := newLedger(t, MinClients)
	path, program := ledgerPath(t, l), plainProgram(t)
	_, first, _ := l.BlocksSince(0)
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(hammers)
	for range hammers {
		wg.Go(func() {
			defer left.Add(-1)
			for range kills {
				c := startAs(t, program, nil, nil, "hammer", path)
				if _, err := c.out.ReadString('\n'); err != nil && err != io.EOF {
					t.Error(err)
				}
				time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
				_ = c.kill()
			}
		})
	}
	for left.Load() > 0 && !t.Failed() {
		time.Sleep(5 * time.Millisecond)
		err := untilFree(func() error {
			return l.Do(Now(), func(tx *Tx) {
				v := l.totals
				if v.verdicts[1] != v.verdicts[2] || v.verdicts[1] != v.spoke[0] {
					t.Errorf("counts that change together: %d, %d, %d",
						v.verdicts[1], v.verdicts[2], v.spoke[0])
				}
				if n := l.ring.last.Load() - first; n != v.verdicts[5] {
					t.Errorf("%d blocks have begun, and %d were counted", n, v.verdicts[5])
				}
				if err := audit(l); err != nil {
					t.Error(err)
				}
			})
		})
		if err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	t.Logf("%d kills among %d pieces of work", hammers*kills, l.totals.spoke[0])
	if l.totals.spoke[0] < hammers*kills {
		t.Error("too little work to have shown anything")
	}
	must(t, l, func(tx *Tx) {
		if n := tx.Totals(); n.Waiting+n.Serving != 0 {
			t.Errorf("sessions of nobody: %d waiting, %d serving", n.Waiting, n.Serving)
		}
	})
	mustAudit(t, l)
}
