package ledger

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// allWork is every way to use a ledger. None of them may crash on one that has lost its file.
func allWork(l *Ledger) []func() error {
	var all []func() error
	for _, d := range operations() {
		all = append(all, func() error { return l.Do(Now(), d.do) })
	}
	return append(all,
		func() error { return l.Do(Now(), func(tx *Tx) { tx.Sessions() }) },
		func() error { _, err := l.Blocks(Now()); return err },
		func() error {
			_, err := l.Unblock(Now(),
				netip.MustParsePrefix("10.0.0.0/8"))
			return err
		},
		func() error { _, err := l.Trim(Now(), 1); return err },
		func() error { _, err := l.Lists(Now(), []string{"good.example"}); return err },
		func() error { _, _, err := l.CountLookups(Now()); return err },
		func() error {
			if l.PeekLookup(hostN(listedN), of); l.lost {
				return ErrLost
			}
			return nil
		},
		func() error {
			if networks, now, all := l.BlocksSince(1); networks != nil || all && now == 1 {
				return fmt.Errorf("%v, %d, %v have begun in a ledger without a file", networks, now,
					all)
			}
			if l.lost {
				return ErrLost
			}
			return nil
		},
	)
}

// A file that is truncated while it is mapped costs an error, not a process. The next process that
// opens the ledger gets a new one.
func TestLostWhileMapped(t *testing.T) {
	for _, length := range interesting() {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			path := filepath.Join(ownDir(t), "ledger")
			for n := range allWork(nil) {
				_ = os.Remove(path) // a place for each would take 180 MB
				l, _ := mustOpen(t, path, MinClients)
				populate(t, l, Now(), Self())
				if err := os.Truncate(path, int64(length)); err != nil {
					t.Fatal(err)
				}
				first := allWork(l)[n]()
				if first != nil && first != ErrLost {
					t.Fatalf("work %d: %v; want ErrLost or nothing", n, first)
				}
				if length == 0 && first != ErrLost {
					t.Errorf("work %d found nothing wrong without an undo log", n)
				}
				if first == ErrLost {
					err := l.Do(Now(), func(*Tx) { t.Error("work on a lost ledger") })
					if err != ErrLost {
						t.Errorf("work after work %d: %v; want ErrLost", n, err)
					}
				}
				shut(l)
				if length == geometryFor(MinClients).size() {
					continue
				}
				l, notes := mustOpen(t, path, MinClients)
				if len(notes) != 1 || !strings.Contains(notes[0], "set aside") {
					t.Errorf("notes: %q", notes)
				}
				mustAudit(t, l)
				shut(l)
			}
		})
	}
}

// A process whose file is truncated during its work does not hinder the others.
func TestLostInTheMidstOfWork(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	l, _ := mustOpen(t, path, MinClients)
	other, _ := mustOpen(t, path, MinClients)
	err := l.Do(Now(), func(tx *Tx) {
		tx.Enter(from(hostN(1)), Self())
		if err := os.Truncate(path, 0); err != nil {
			t.Error(err)
		}
		tx.Enter(from(hostN(2)), Self())
		t.Error("work went on without a file")
	})
	if err != ErrLost {
		t.Errorf("the one at work: %v; want ErrLost", err)
	}
	if err := other.Do(Now(), func(*Tx) {}); err != ErrLost {
		t.Errorf("another: %v; want ErrLost", err)
	}
	fresh, notes := mustOpen(t, path, MinClients)
	if len(notes) != 1 {
		t.Errorf("notes: %q", notes)
	}
	mustAudit(t, fresh)
}

// If the caller's work panics for its own reasons, it is undone, and the caller gets the panic.
func TestPanicInWork(t *testing.T) {
	l := newLedger(t, MinClients)
	populate(t, l, Now(), Self())
	before := content(l)
	func() {
		defer func() {
			if r := recover(); r != "mine" {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = l.Do(Now(), func(tx *Tx) {
			tx.Strike(networkN(1), "test", 1, threeStrikes)
			panic("mine")
		})
	}()
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	atOnce(t, other)
	if got := content(l); difference(before, got) != "nothing" {
		t.Error(difference(before, got))
	}
}

// A builder releases its lock when the new file is in place, and may be truncated already.
func TestLostBeforeTheBuilderHasDone(t *testing.T) {
	l, _ := mustOpen(t, filepath.Join(ownDir(t), "ledger"), MinClients)
	if err := os.Truncate(l.path, 0); err != nil {
		t.Fatal(err)
	}
	if err := l.release(); err != ErrLost {
		t.Errorf("release: %v", err)
	}
	if err := l.Do(Now(), func(*Tx) {}); err != ErrLost {
		t.Errorf("the next operation: %v", err)
	}
}

// loseRole uses a ledger that others truncate all the time, and opens it again when it is lost,
// that number of times: LEDGER, TIMES.
func loseRole(args []string) error {
	times, _ := strconv.Atoi(args[1])
	self, done := Self(), 0
	for lost := 0; lost < times; {
		l, _, err := Open(args[0], MinClients, ThisBoot())
		if held(err) {
			continue
		}
		if err != nil {
			return err
		}
		for (err == nil || held(err)) && !l.Replaced() {
			err = l.Do(Now(), func(t *Tx) {
				a := from(hostN(rand.IntN(1000)))
				t.Look(a)
				s, _ := t.Enter(a, self)
				t.Leave(s)
				done++
			})
		}
		switch {
		case err == ErrLost:
			lost++
		case err == nil, held(err): // another was quicker to find out
		default:
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	fmt.Println(done)
	return nil
}

// Many processes work on a file that is truncated again and again: none crashes, and all find a new
// file.
func TestLostAgainAndAgain(t *testing.T) {
	const times = 40
	path := filepath.Join(ownDir(t), "ledger")
	var ended sync.WaitGroup
	var left atomic.Int64
	// The race detector's own atomics do not survive a page that disappears in that instant.
	program := plainProgram(t)
	for range 4 {
		c := startAs(t, program, nil, nil, "lose", path, fmt.Sprint(times))
		left.Add(1)
		ended.Go(func() {
			defer left.Add(-1)
			var done int
			if _, err := fmt.Fscanln(c.out, &done); err != nil || done == 0 {
				t.Errorf("%d pieces of work, %v", done, err)
			}
			if err := c.end(); err != nil {
				t.Error(err)
			}
		})
	}
	for lengths := interesting(); left.Load() > 0; {
		_ = os.Truncate(path, int64(lengths[rand.IntN(len(lengths))]))
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	}
	ended.Wait()
	_ = os.Truncate(path, 0)
	l, _ := mustOpen(t, path, MinClients)
	mustAudit(t, l)
}
