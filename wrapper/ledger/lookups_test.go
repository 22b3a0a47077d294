package ledger

import (
	"bytes"
	"net/netip"
	"os/exec"
	"testing"
	"time"
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
