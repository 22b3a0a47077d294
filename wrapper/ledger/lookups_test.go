package ledger

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lookedUp is what the ledger remembers of an address, with the lock and without.
func lookedUp(t testing.TB, l *Ledger, now Moment, addr netip.Addr, of uint64) (found Lookup) {
	t.Helper()
	mustAt(t, l, now, func(tx *Tx) { found = tx.Lookup(addr, of) })
	if peeked := l.peekLookup(now, addr, of); peeked.State != found.State ||
		!bytes.Equal(peeked.Data, found.Data) || peeked.Left != found.Left {
		t.Errorf("%v: %+v with the lock, %+v without", addr, found, peeked)
	}
	return found
}

// claims says whether the process may ask about the address.
func claims(t testing.TB, l *Ledger, now Moment, addr netip.Addr, p Process) (claimed bool) {
	t.Helper()
	mustAt(t, l, now, func(tx *Tx) { claimed = tx.ClaimLookup(addr, of, p) })
	return claimed
}

// A result is there for its time, to the millisecond, for that address and configuration alone, and
// never for more than a day.
func TestLookupHolds(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	long := bytes.Repeat([]byte("x"), LookupSize)
	for _, tt := range []struct {
		addr      string
		data      []byte
		ttl, want time.Duration
	}{
		{"192.0.2.1", []byte("a"), time.Minute, time.Minute},
		{"192.0.2.2", nil, time.Hour, time.Hour},
		{"::ffff:192.0.2.3", long, 48 * time.Hour, 24 * time.Hour},
		{"2001:db8::1", long, time.Millisecond, time.Millisecond},
	} {
		addr := netip.MustParseAddr(tt.addr)
		mustAt(t, l, now, func(tx *Tx) { tx.KeepLookup(addr, of, tt.data, tt.ttl) })
		got := lookedUp(t, l, now, addr, of)
		if got.State != Asked || !bytes.Equal(got.Data, tt.data) || got.Left != tt.want {
			t.Errorf("%s: %+v; want %q for %v", tt.addr, got, tt.data, tt.want)
		}
		if got := lookedUp(t, l, now, addr.Unmap(), of); got.State != Asked {
			t.Errorf("%s: unmapped, it is %+v", tt.addr, got)
		}
		for other := uint64(1); other < 200; other++ { // some have the same buckets
			if got := lookedUp(t, l, now, addr, of+other); got.State != NotAsked {
				t.Errorf("%s: by another configuration it is %+v", tt.addr, got)
			}
		}
		if got := lookedUp(t, l, now, addr.Next(), of); got.State != NotAsked {
			t.Errorf("%s: its neighbour is %+v", tt.addr, got)
		}
		if claims(t, l, now, addr, nobody) {
			t.Errorf("%s is asked about again", tt.addr)
		}
		last := now.After(tt.want - time.Millisecond)
		if got := lookedUp(t, l, last, addr, of); got.State != Asked ||
			got.Left != time.Millisecond {
			t.Errorf("%s: at its end it is %+v", tt.addr, got)
		}
		now = now.After(tt.want)
		if got := lookedUp(t, l, now, addr, of); got.State != NotAsked || got.Data != nil {
			t.Errorf("%s: after its time it is %+v", tt.addr, got)
		}
	}
}

// A result that is too long, or has no time, is none; and it ends a claim.
func TestLookupNotKept(t *testing.T) {
	l, now, host := newLedger(t, MinClients), Now(), hostN(1)
	for _, tt := range []struct {
		size int
		ttl  time.Duration
	}{{LookupSize + 1, time.Hour}, {256 + 10, time.Hour}, {1, 0}, {1, -time.Hour}, {1, 999}} {
		if !claims(t, l, now, host, Self()) {
			t.Fatal("it cannot be claimed")
		}
		mustAt(t, l, now, func(tx *Tx) { tx.KeepLookup(host, of, make([]byte, tt.size), tt.ttl) })
		if got := lookedUp(t, l, now, host, of); got.State != NotAsked {
			t.Errorf("%d bytes for %v: %+v", tt.size, tt.ttl, got)
		}
	}
}

// startAsker starts a process that does nothing, until the test ends.
func startAsker(t testing.TB) (*exec.Cmd, Process) {
	t.Helper()
	asker := sleeper()
	if err := asker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = asker.Process.Kill()
		_ = asker.Wait()
	})
	p, err := Identify(asker.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return asker, p
}

// A claim keeps others from asking as long as its process lives, and for 15 seconds.
func TestLookupClaims(t *testing.T) {
	l, now, host := newLedger(t, MinClients), Now(), hostN(1)
	asker, p := startAsker(t)
	state := func(now Moment) LookupState { return lookedUp(t, l, now, host, of).State }
	if !claims(t, l, now, host, p) || state(now) != Asking || claims(t, l, now, host, Self()) {
		t.Error("its claim does not hold")
	}
	mustAt(t, l, now, func(tx *Tx) { tx.DropLookup(host, of, Self()) })
	if state(now) != Asking {
		t.Error("another process has ended its claim")
	}
	if !claims(t, l, now.After(time.Second), host, p) {
		t.Error("it must not claim what it has claimed")
	}
	if state(now.After(15*time.Second)) != Asking ||
		claims(t, l, now.After(16*time.Second-time.Millisecond), host, Self()) {
		t.Error("its claim has ended early")
	}
	now = now.After(16 * time.Second)
	if state(now) != NotAsked || !claims(t, l, now, host, Self()) {
		t.Error("its claim has not ended after 15 s")
	}
	mustAt(t, l, now, func(tx *Tx) { tx.DropLookup(host, of, Self()) })
	if state(now) != NotAsked || !claims(t, l, now, host, p) {
		t.Error("a claim that was dropped holds")
	}
	// Its own result, or that of anybody, ends it.
	mustAt(t, l, now, func(tx *Tx) { tx.KeepLookup(host, of, []byte("listed"), time.Hour) })
	mustAt(t, l, now, func(tx *Tx) { tx.DropLookup(host, of, p) })
	if got := lookedUp(t, l, now, host, of); string(got.Data) != "listed" {
		t.Errorf("%+v; want the result", got)
	}
	host = hostN(2)
	if !claims(t, l, now, host, p) || claims(t, l, now, host, Self()) {
		t.Error("its claim does not hold")
	}
	_ = asker.Process.Kill()
	_ = asker.Wait()
	if state(now) != NotAsked || !claims(t, l, now, host, Self()) {
		t.Error("a dead process still asks")
	}
}

// A process that has the pid of the one that asked, and is another, does not ask.
func TestLookupClaimsOfAnother(t *testing.T) {
	l, now, host := newLedger(t, MinClients), Now(), hostN(1)
	other := Self()
	other.Start--
	if !claims(t, l, now, host, other) {
		t.Fatal("it cannot be claimed")
	}
	mustAt(t, l, now, func(tx *Tx) { tx.DropLookup(host, of, Self()) })
	if claims(t, l, now, host, Self()) {
		t.Error("a process with another start time passes for the one that asks")
	}
	if now = now.After(identityTTL * time.Millisecond); !claims(t, l, now, host, Self()) {
		t.Error("its claim holds for another process")
	}
	// Nor does one of another boot, whatever its pid and start time.
	host = hostN(2)
	if !claims(t, l, now, host, Self()) || claims(t, l, now, host, nobody) {
		t.Fatal("it cannot be claimed")
	}
	l.boot = bootN(7)
	now = Moment{10 * time.Second, now.Wall.Add(time.Second)}
	if got := lookedUp(t, l, now, host, of); got.State != NotAsked ||
		!claims(t, l, now, host, nobody) {
		t.Errorf("after a reboot it is %+v", got)
	}
}

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
