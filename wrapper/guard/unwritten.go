package guard

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

const (
	// maxUnwritten is how many writes wait for the ledger at most: a minute of an attack.
	maxUnwritten = 10_000

	// slowWrite is how long one may wait before a warning is logged.
	slowWrite = 5 * time.Second
)

// unwritten are the writes that wait because others use the ledger, the oldest first.
type unwritten struct {
	mu      sync.Mutex
	list    []pendingWrite
	dropped int  // because the list was full
	warned  bool // that they wait long
}

// pendingWrite is a write that waits for the ledger.
type pendingWrite struct {
	since time.Time
	write func(*ledger.Tx)
	done  func() // called once it is written, or lost
}

// retryable reports whether the ledger may be free again soon. A ledger that is lost, or that was
// never there, has lost its counts as well: then nothing is worth a retry.
func retryable(err error) bool {
	return errors.Is(err, ledger.ErrBusy) || errors.Is(err, ledger.ErrCrowded)
}

// write writes to the ledger, now or as soon as it is free.
func (g *guard) write(work func(*ledger.Tx)) { g.writeThen(work, func() {}) }

// writeThen is write, and calls done once it is written, or lost.
func (g *guard) writeThen(work func(*ledger.Tx), done func()) {
	if err := g.inLedger(work); retryable(err) {
		g.writeLater(pendingWrite{write: work, done: done}, func() {})
		return
	}
	done()
}

// count counts a verdict about a client of the network.
func (g *guard) count(network netip.Prefix, v decide.Verdict, observed bool) {
	g.write(func(t *ledger.Tx) {
		t.CountFor(network, ledger.Event{Verdict: int(v), Refused: !observed, Observed: observed})
	})
}

// recordLater records an offence as soon as the ledger is free. A block is carried out then, and
// the transcript waits for it.
func (g *guard) recordLater(o offence, t *transcript) {
	o.mayDefer = false
	var block activeBlock
	g.writeLater(pendingWrite{
		write: func(tx *ledger.Tx) { block = o.record(tx) },
		done: func() {
			t.written(block.caused())
			if block.began {
				g.startBlock(block.network, block.left)
			}
		},
	}, t.awaitWrite)
}

// writeLater queues a write. If there is room for it, queued is called before it can be written.
func (g *guard) writeLater(w pendingWrite, queued func()) {
	w.since = time.Now()
	g.unwritten.mu.Lock()
	defer g.unwritten.mu.Unlock()
	if len(g.unwritten.list) >= maxUnwritten {
		g.unwritten.dropped++
		return
	}
	queued()
	g.unwritten.list = append(g.unwritten.list, w)
}

// writePending writes what waits for the ledger, as far as the ledger is free. Only the goroutine
// of watch calls it.
func (g *guard) writePending(now time.Time) {
	u := &g.unwritten
	u.mu.Lock()
	due, dropped := u.list, u.dropped
	u.list, u.dropped = nil, 0
	u.mu.Unlock()
	if dropped > 0 {
		g.countUnwritten(dropped)
		g.warn(fmt.Sprintf("guard: the ledger was busy for too long; "+
			"counts or blocks dropped: %d", dropped))
	}
	if len(due) == 0 {
		return
	}
	oldest := now.Sub(due[0].since)
	n := 0 // written
	var err error
	for _, w := range due {
		if err = g.inLedger(w.write); err != nil {
			break
		}
		n++
		w.done()
	}
	switch rest := due[n:]; {
	case err != nil && !retryable(err):
		g.countUnwritten(len(rest))
		g.warn(fmt.Sprintf("guard: the ledger is lost; "+
			"counts or blocks lost that waited for it: %d", len(rest)))
		u.warned = false
		for _, w := range rest {
			w.done()
		}
	case err != nil:
		if oldest >= slowWrite && !u.warned {
			u.warned = true
			g.warn(fmt.Sprintf("guard: the ledger has been busy for %v; "+
				"counts or blocks that wait for it: %d", oldest.Round(time.Second), len(rest)))
		}
		u.mu.Lock()
		u.list = append(rest, u.list...)
		u.mu.Unlock()
	case u.warned:
		u.warned = false
		g.note(fmt.Sprintf("guard: the ledger is free again; "+
			"counts or blocks written after up to %v: %d", oldest.Round(time.Second), n))
	}
}

// countUnwritten counts clients whose counts or blocks are lost, where there is a ledger.
func (g *guard) countUnwritten(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.door.Ledger.CountTrouble(ledger.Unwritten, n)
}
