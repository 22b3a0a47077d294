package ledger

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Results survive a reboot, in which time goes on, and a file of another size.
func TestLookupSurvives(t *testing.T) {
	path, now := filepath.Join(ownDir(t), "ledger"), Now()
	l, _, err := Open(path, MinClients, bootN(1))
	if err != nil {
		t.Fatal(err)
	}
	result := func(n int) []byte { return []byte(fmt.Sprint("result ", n)) }
	mustAt(t, l, now, func(tx *Tx) {
		for n := range 200 {
			tx.KeepLookup(hostN(n), of, result(n), time.Hour)
			tx.checkpoint()
		}
		tx.ClaimLookup(hostN(1000), of, Self())
	})
	shut(l)
	now.Boot, now.Wall = time.Minute, now.Wall.Add(10*time.Minute)
	for _, clients := range []int{MinClients, 16384, MinClients} {
		l, _, err := openBy(path, clients, bootN(2), func() Moment { return now })
		if err != nil {
			t.Fatal(err)
		}
		for n := range 200 {
			if got := lookedUp(t, l, now, hostN(n), of); string(got.Data) != string(result(n)) ||
				got.Left != 50*time.Minute {
				t.Fatalf("clients=%d: %+v; want %q", clients, got, result(n))
			}
		}
		kept, room, err := l.CountLookups(now)
		if want := max(MinClients, clients/4); kept != 200 || room != want || err != nil {
			t.Errorf("clients=%d: %d of %d kept, %v; want 200 of %d", clients, kept, room, err,
				want)
		}
		shut(l)
	}
}

// A claim goes on in a file of another size, and the result comes there.
func TestLookupClaimsSurvive(t *testing.T) {
	path, now := filepath.Join(ownDir(t), "ledger"), Now()
	l, _ := mustOpen(t, path, MinClients)
	if !claims(t, l, now, hostN(1), Self()) || !claims(t, l, now, hostN(2), nobody) {
		t.Fatal("they cannot be claimed")
	}
	again, _ := mustOpen(t, path, 2*MinClients)
	if claims(t, again, now, hostN(1), nobody) || !claims(t, again, now, hostN(2), Self()) {
		t.Error("what a living process asks must not be asked again, or what a dead one does may")
	}
}

// What a process writes of a result is never seen half, and what a killed one wrote never.
func TestLookupPeeksWhole(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	if got := l.PeekLookup(hostN(1), of); got.State != NotAsked {
		t.Errorf("of nothing: %+v", got)
	}
	must(t, other, func(tx *Tx) {
		tx.KeepLookup(hostN(1), of, []byte("half"), time.Hour)
		if got := l.PeekLookup(hostN(1), of); got.State != Asking || got.Data != nil {
			t.Errorf("in the midst of the work: %+v", got)
		}
	})
	if got := l.PeekLookup(hostN(1), of); string(got.Data) != "half" {
		t.Errorf("after the work: %+v", got)
	}
	c := start(t, "stop", "work", ledgerPath(t, l))
	c.untilStopped(t)
	_ = unix.Kill(c.Process.Pid, unix.SIGKILL)
	_ = c.kill()
	if got := l.PeekLookup(hostN(1), of); got.State != Asking {
		t.Errorf("after a kill in the midst of work: %+v", got)
	}
	must(t, l, func(*Tx) {})
	if got := l.PeekLookup(hostN(1), of); string(got.Data) != "half" {
		t.Errorf("after that is undone: %+v", got)
	}
	if err := os.Truncate(ledgerPath(t, l), page); err != nil {
		t.Fatal(err)
	}
	if got := l.PeekLookup(hostN(1), of); got.State != NotAsked {
		t.Errorf("in a file without an end: %+v", got)
	}
	if got := (*Ledger)(nil).PeekLookup(hostN(1), of); got.State != NotAsked {
		t.Errorf("without a ledger: %+v", got)
	}
}

// In a full table the results that hold for the shortest time go first, and claims last.
func TestLookupReplaces(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	for n := range 200 { // claims of a living process
		if !claims(t, l, now, hostN(n), Self()) {
			t.Fatal("it cannot be claimed")
		}
	}
	for n := 1000; n < 21_000; n++ {
		ttl := time.Hour
		if n%2 == 0 {
			ttl = time.Minute
		}
		mustAt(t, l, now, func(tx *Tx) { tx.KeepLookup(hostN(n), of, []byte("x"), ttl) })
		if got := lookedUp(t, l, now, hostN(n), of); got.State != Asked {
			t.Fatalf("%d was not kept: %+v", n, got)
		}
	}
	for n := range 200 {
		if claims(t, l, now, hostN(n), nobody) {
			t.Fatalf("claim %d was replaced by results", n)
		}
	}
	long, short := 0, 0
	mustAt(t, l, now, func(tx *Tx) {
		for n := 1000; n < 21_000; n++ {
			switch left := tx.Lookup(hostN(n), of).Left; {
			case left > time.Minute:
				long++
			case left > 0:
				short++
			}
		}
	})
	if long+short != MinClients-200 || short > 30 {
		t.Errorf("%d long and %d short results are kept; want %d, hardly a short one", long, short,
			MinClients-200)
	}
	// If all are claims, the oldest goes.
	for n := range 5000 {
		now = now.After(time.Millisecond)
		if !claims(t, l, now, hostN(100_000+n), Self()) {
			t.Fatalf("claim %d was refused", n)
		}
	}
	mustAudit(t, l)
}

// Whatever a lookup's bytes are, it is a result only if its size and its end are possible, and a
// claim only if its end is and its process lives.
func TestHonestLookup(t *testing.T) {
	l, now, host := newLedger(t, MinClients), Now(), hostN(1)
	self := Self()
	mustAt(t, l, now, func(tx *Tx) {
		tx.ClaimLookup(host, of, self)
		i := l.findLookup(host.As16(), of)
		e, c := l.lookup(i), *l.claim(i)
		for _, state := range []LookupState{NotAsked, Asking, Asked, 3, 255} {
			for _, size := range []uint8{0, 1, LookupSize, LookupSize + 1, 255} {
				for _, in := range []int64{math.MinInt64, -1, 0, 1, 15_000, 15_001, 86_400_000,
					86_400_001, math.MaxInt64 - tx.now} {
					for _, pid := range []uint32{0, uint32(self.PID), maxPID + 1, math.MaxUint32} {
						e.state, e.size, e.till, e.pid = state, size, tx.now+in, pid
						*l.claim(i) = c
						want := NotAsked
						switch {
						case in <= 0:
						case state == Asked && size <= LookupSize && in <= 86_400_000:
							want = Asked
						case state == Asking && in <= 15_000 && pid == uint32(self.PID):
							want = Asking
						}
						got := tx.Lookup(host, of)
						if got.State != want || want == Asked && (len(got.Data) != int(size) ||
							got.Left.Milliseconds() != in) {
							t.Fatalf("state %d, size %d, %d ms left, pid %d: %+v; want state %d",
								state, size, in, pid, got, want)
						}
						if want == NotAsked && !tx.ClaimLookup(host, of, self) {
							t.Fatalf("state %d, size %d, %d ms left, pid %d: nobody may ask", state,
								size, in, pid)
						}
						tx.checkpoint()
					}
				}
			}
		}
	})
}
