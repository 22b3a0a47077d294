package ledger

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// trimRole begins blocks and trims after each, that number of times or without end: PATH, FIRST,
// NUMBER.
func trimRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	first, _ := strconv.Atoi(args[1])
	number, _ := strconv.Atoi(args[2])
	parent := unix.Getppid()
	for n := 0; n != number && unix.Getppid() == parent; n++ {
		err := untilFree(func() error {
			return l.Do(Now(), func(t *Tx) {
				t.Block(networkN(first+n%500), time.Hour, "test",
					Penalty{})
			})
		})
		if err != nil {
			return err
		}
		err = untilFree(func() error {
			if n%16 == 0 { // there is always one that looks
				if err := l.Do(Now(), func(t *Tx) { t.l.ring.trimAt = 0 }); err != nil {
					return err
				}
			}
			_, err := l.Trim(Now(), trimMost)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkTrimmed waits until it is time again, trims, and compares the rest with all blocks before.
func checkTrimmed(t *testing.T, l *Ledger) {
	t.Helper()
	mustAudit(t, l)
	now := Now().After(2 * time.Second)
	before := inForce(t, l, now)
	dropped := trim(t, l, now, trimMost)
	after := inForce(t, l, now)
	if len(after) != min(trimMost, len(before)) || len(dropped) != len(before)-len(after) {
		t.Errorf("of %d blocks %d were ended, %d are left; want %d", len(before), len(dropped),
			len(after), trimMost)
	}
	if n := l.ring.bound(); n < uint64(len(after)) || len(before) > trimMost && n != trimMost {
		t.Errorf("after it the bound is %d, of %d", n, len(after))
	}
	mustAudit(t, l)
}

// Many processes that begin blocks and trim at once never end more than they should, whichever of
// them looks.
func TestTrimByMany(t *testing.T) {
	l := newLedger(t, MinClients)
	path, program := ledgerPath(t, l), plainProgram(t)
	var all []*child
	for n := range 4 {
		all = append(all, startAs(t, program, nil, nil, "trim", path, fmt.Sprint(n<<16), "1500"))
	}
	for _, c := range all {
		if err := c.end(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(inForce(t, l, Now())); n < trimMost {
		t.Errorf("%d blocks are left; want %d", n, trimMost)
	}
	checkTrimmed(t, l)
}

// A process that is killed while it trims leaves a bound that is never too low, and work that the
// next can finish.
func TestTrimKilled(t *testing.T) {
	l := newLedger(t, MinClients)
	path, program := ledgerPath(t, l), plainProgram(t)
	for round := range 40 {
		c := startAs(t, program, nil, nil, "trim", path, fmt.Sprint(round%3<<16), "-1")
		first := l.ring.last.Load()
		lab.Eventually(t, "it works", func() bool { return l.ring.last.Load()-first > 20 })
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		_ = c.kill()
		mustAudit(t, l)
	}
	checkTrimmed(t, l)
}
