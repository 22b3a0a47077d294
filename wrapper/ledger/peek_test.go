package ledger

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// peek is how the client stands without the lock.
func peek(t *testing.T, l *Ledger, now Moment, host netip.Addr) Standing {
	t.Helper()
	s, ok := l.Peek(now, from(host))
	if !ok {
		t.Fatal("it cannot be seen")
	}
	return s
}

// Peek sees a block from the moment when it has begun, and none that has ended, by time or by hand.
// What it says of a block is what Look says.
func TestReadPeeksInOrder(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	now := Now()
	for n := range 100 {
		host, network, wide := hostN(n), networkN(n), netip.PrefixFrom(hostN(n), 28).Masked()
		mustAt(t, other, now, func(tx *Tx) { tx.Block(network, time.Hour, "test", Penalty{}) })
		var want Standing
		mustAt(t, other, now, func(tx *Tx) { want = tx.Look(from(host)) })
		if is := peek(t, l, now, host); is != want || !is.Blocked || is.BlockLeft != time.Hour ||
			is.Reason != "test" {
			t.Errorf("blocked: %+v; want %+v", is, want)
		}
		if is := peek(t, l, now.After(time.Hour-time.Millisecond), host); !is.Blocked ||
			is.BlockLeft != time.Millisecond {
			t.Errorf("before its end: %+v", is)
		}
		if is := peek(t, l, now.After(time.Hour), host); is.Blocked {
			t.Errorf("after its end: %+v", is)
		}
		if _, err := other.Unblock(now, network); err != nil {
			t.Fatal(err)
		}
		if is := peek(t, l, now, host); is.Blocked || is.Reason != "" {
			t.Errorf("unblocked: %+v", is)
		}
		mustAt(t, other, now, func(tx *Tx) { tx.Block(wide, time.Hour, "test", Penalty{}) })
		if is := peek(t, l, now, host); !is.Blocked || is.Network != wide {
			t.Errorf("within a blocked network: %+v", is)
		}
		if _, err := other.Unblock(now, wide); err != nil {
			t.Fatal(err)
		}
	}
}

// Peek never takes the block of a network that has replaced the client's record for the client's.
func TestReadPeeksWhole(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	must(t, l, func(tx *Tx) { tx.Remember(networkN(1), time.Hour) })
	record := l.find(keyOf(networkN(1)))
	known := *l.record(record)
	stop, writing := make(chan bool), sync.WaitGroup{}
	writing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			err := untilFree(func() error {
				return other.Do(Now(), func(tx *Tx) {
					c := other.change(record)
					c.blockedAt, c.blockTill, c.knownTill = tx.now, tx.now+1000, 0
					// as one that lost its processor
					for began := time.Now(); time.Since(began) < 20*time.Microsecond; {
					}
					c.addr = keyOf(networkN(2)).addr
					tx.checkpoint()
					*other.change(record) = known
				})
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	seen := 0
	for range 20_000 {
		s := peek(t, l, Now(), hostN(1))
		if s.Blocked {
			t.Errorf("it is blocked: %+v", s)
			break
		}
		if s.Known {
			seen++
		}
	}
	close(stop)
	writing.Wait()
	if seen == 0 {
		t.Error("it was never seen known: the test proves nothing")
	}
}

// A block that a killed process had half begun refuses no client.
func TestReadPeeksAfterAKill(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	must(t, other, func(tx *Tx) {
		tx.Block(networkN(1), time.Hour, "test", Penalty{})
		if s := peek(t, l, Now(), hostN(1)); s.Blocked {
			t.Error("in the midst of the work it is blocked")
		}
	})
	if s := peek(t, l, Now(), hostN(1)); !s.Blocked {
		t.Error("after the work it is not blocked")
	}
	c := start(t, "stop", "work", ledgerPath(t, l)) // which stops in the midst of its work
	c.untilStopped(t)
	_ = unix.Kill(c.Process.Pid, unix.SIGKILL)
	_ = c.kill()
	if s := peek(t, l, Now(), hostN(1)); s.Blocked {
		t.Error("it does not ask with the lock, and so nobody would undo what is half done")
	}
	must(t, l, func(*Tx) {})
	if s := peek(t, l, Now(), hostN(1)); !s.Blocked {
		t.Error("after that is undone it is not blocked")
	}
}
