package ledger

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// vandal writes into the undo log from a mapping of its own, by the seed: any of its bytes, and
// most often the words that say how much of it counts.
type vandal struct {
	mem mapping
	rnd *rand.Rand
}

func newVandal(t *testing.T, l *Ledger, seed uint64) *vandal {
	t.Helper()
	mem, err := mapFile(l.fd, l.geo.size())
	if err != nil {
		t.Fatal(err)
	}
	return &vandal{mem, rand.New(rand.NewPCG(seed, 7))}
}

func (v *vandal) strike() {
	word := func(at int) *atomic.Uint64 { return view[atomic.Uint64](v.mem, at) }
	value := malicious(byte(v.rnd.Uint32()), bytes.Repeat([]byte{byte(v.rnd.Uint32())}, 8))
	if v.rnd.IntN(4) == 0 {
		value = uint64(v.rnd.IntN(undoSize)) // as it may well be
	}
	switch v.rnd.IntN(4) {
	case 0:
		word(undoAt).Store(value)
	case 1:
		word(undoAt + undoHead + 8*v.rnd.IntN(64)).Store(value) // heads of entries are among them
	case 2:
		for range 100 {
			word(undoAt + undoHead + 8*v.rnd.IntN((undoSize-undoHead)/8)).Store(v.rnd.Uint64())
		}
	default:
		word(undoAt + 8*v.rnd.IntN(undoSize/8)).Store(value)
	}
}

// step is a part of an operation, which needs little of the undo log.
func (v *vandal) step(tx *Tx) {
	host := hostN(v.rnd.IntN(100))
	a := from(host)
	switch v.rnd.IntN(6) {
	case 0:
		tx.Look(a)
	case 1:
		s, _ := tx.Enter(a, Self())
		tx.Serve(s)
		tx.Leave(s)
	case 2:
		tx.Strike(a.Network, "test", 1, threeStrikes)
	case 3:
		tx.Block(a.Network, 0, "test", threeStrikes)
	case 4:
		tx.Remember(a.Network, MaxBlock)
		tx.BadRcpt(a.Network, MaxBlock)
	case 5:
		tx.Count(v.rnd.IntN(Verdicts))
	}
}

// A process that writes into the undo log while others work ends no process, and changes nothing
// else in the file. When it is found out, the file is set aside and a new one made.
func TestHonestUndoLogInUse(t *testing.T) {
	const seeds = 3000
	path := filepath.Join(ownDir(t), "ledger")
	l, _ := mustOpen(t, path, MinClients)
	lost := 0
	for seed := range uint64(seeds) {
		v := newVandal(t, l, seed)
		fixed := bytes.Clone(l.mem[:headerFixed])
		var err error
		for n := 0; n < 8 && err == nil; n++ {
			if n%2 == 0 { // what a killed process has left
				v.strike()
			}
			err = l.Do(Now(), func(tx *Tx) {
				for range 1 + v.rnd.IntN(3) {
					v.step(tx)
					if n%4 == 1 { // between two steps of a work
						v.strike()
					}
				}
			})
		}
		_ = v.mem.unmap()
		switch err {
		case nil:
			if !bytes.Equal(fixed, l.mem[:headerFixed]) {
				t.Fatalf("seed %d: the header has changed", seed)
			}
			continue
		case ErrLost:
			lost++
		default:
			t.Fatalf("seed %d: %v", seed, err)
		}
		shut(l)
		var notes []string
		if l, notes, err = Open(path, MinClients, ThisBoot()); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(notes) > 0 && !strings.Contains(notes[0],
			"was damaged while it was in use; set aside") {
			t.Fatalf("seed %d: %q", seed, notes)
		}
		if len(notes) > 0 {
			mustAudit(t, l)
		}
	}
	shut(l)
	t.Logf("%d times of %d the file was lost", lost, seeds)
	if lost == 0 || lost == seeds {
		t.Error("that shows nothing")
	}
}

// The same at any instruction: the vandal does not wait for a step of the operation.
func TestHonestUndoLogMeanwhile(t *testing.T) {
	const works = 5000
	path := filepath.Join(ownDir(t), "ledger")
	l, _ := mustOpen(t, path, MinClients)
	lost := 0
	for done := 0; done < works; {
		v, worker := newVandal(t, l, uint64(done)),
			vandal{rnd: rand.New(rand.NewPCG(uint64(done), 8))}
		var stop atomic.Bool
		var at sync.WaitGroup
		at.Go(func() {
			for !stop.Load() {
				v.strike()
				_, _ = unix.Poll(nil, 0)
			}
		})
		var err error
		for err == nil && done < works {
			err = l.Do(Now(), worker.step)
			done++
		}
		stop.Store(true)
		at.Wait()
		_ = v.mem.unmap()
		if err == nil {
			break
		}
		if err != ErrLost {
			t.Fatal(err)
		}
		lost++
		shut(l)
		if l, _, err = Open(path, MinClients, ThisBoot()); err != nil {
			t.Fatal(err)
		}
	}
	shut(l)
	t.Logf("the file was lost %d times in %d works", lost, works)
}
