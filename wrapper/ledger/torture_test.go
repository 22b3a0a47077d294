package ledger

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// torturer keeps many workers at work and lets none of them work in peace.
type torturer struct {
	t       *testing.T
	program string
	path    string
	lines   []*tortureLine // [0] is our own, [n] that of worker n
	tokens  semaphores

	mu      sync.Mutex
	workers []*child // as the lines
	killed  []*child // who of them was last
	ended   sync.WaitGroup
	kills   int
	stops   int
	endings int
}

// spawn starts worker n, and again each time it ends, until it is time to finish.
func (x *torturer) spawn(n int) {
	c := startAs(x.t, x.program, nil, nil, "torture", x.path, x.path+".lines", fmt.Sprint(n),
		fmt.Sprint(int(x.tokens)))
	c.reaped = true // by the goroutine here
	x.mu.Lock()
	x.workers[n] = c
	x.mu.Unlock()
	x.ended.Go(func() {
		_ = c.Wait()
		x.lines[n].holds.Store(0)
		x.mu.Lock()
		x.workers[n] = nil
		x.endings++
		x.mu.Unlock()
		if x.lines[0].finish().Load() == 0 {
			x.spawn(n)
		}
	})
}

// signal sends a signal to worker n, if it lives.
func (x *torturer) signal(n int, sig unix.Signal) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if c := x.workers[n]; c != nil {
		_ = c.Process.Signal(sig)
		if sig == unix.SIGKILL {
			x.killed[n] = c
		}
	}
}

// torment kills, stops and continues workers at random, that number of times and until there have
// been that many arrivals.
func (x *torturer) torment(times int, arrivals uint64) {
	for ; times > 0 || x.arrivals() < arrivals; times-- {
		time.Sleep(2 * time.Millisecond)
		n := 1 + rand.IntN(len(x.lines)-1)
		switch dice := rand.IntN(100); {
		case dice < 8:
			x.signal(n, unix.SIGKILL)
			x.kills++
		case dice < 20:
			x.signal(n, unix.SIGSTOP)
			x.stops++
			x.ended.Go(func() {
				time.Sleep(time.Duration(rand.IntN(80)) * time.Millisecond)
				x.signal(n, unix.SIGCONT)
			})
		}
		x.signal(1+rand.IntN(len(x.lines)-1), unix.SIGCONT) // of those that have stopped themselves
	}
}

// arrivals is how many there have been.
func (x *torturer) arrivals() (n uint64) {
	for _, line := range x.lines[1:] {
		n += line.done.Load()
	}
	return n
}

// rest lets all workers come to rest, with whatever session they have.
func (x *torturer) rest() {
	x.lines[0].finish().Store(1)
	lab.Eventually(x.t, "all workers are at rest", func() bool {
		resting := true
		for n := 1; n < len(x.lines); n++ {
			x.signal(n, unix.SIGCONT)
			x.mu.Lock()
			c := x.workers[n]
			if c != nil && (c == x.killed[n] || x.lines[n].holds.Load()&holdsParked == 0) {
				resting = false
			}
			x.mu.Unlock()
		}
		return resting
	})
}

// end kills all workers that are left.
func (x *torturer) end() {
	for n := 1; n < len(x.lines); n++ {
		x.signal(n, unix.SIGKILL)
	}
	x.ended.Wait()
}

// check compares the ledger with what the live workers say they have.
func (x *torturer) check(l *Ledger) {
	var waiting, serving int
	var conns [tortureNetworks]int
	for _, line := range x.lines[1:] {
		holds := line.holds.Load()
		n := int(holds & holdsNetwork)
		switch {
		case n == 0:
			continue
		case holds&holdsServing != 0:
			serving++
		default:
			waiting++
		}
		conns[n-1]++
	}
	x.t.Logf("at the end %d serving, %d waiting, of the networks %v", serving, waiting, conns)
	must(x.t, l, func(tx *Tx) {
		if n := tx.Totals(); n.Waiting != waiting || n.Serving != serving {
			x.t.Errorf("the ledger counts %d waiting, %d serving; there are %d, %d", n.Waiting,
				n.Serving, waiting, serving)
		}
		for n, want := range conns {
			a := Arrival{Client: from(hostN(n << 8)).Client, Network: tortureNetwork(n),
				Limits: Limits{Conns: 1}}
			if s := tx.Look(a); s.Conns != want {
				x.t.Errorf("the ledger counts %d sessions of network %d; there are %d", s.Conns, n,
					want)
			}
		}
	})
	mustAudit(x.t, l)
}

// Many processes enter, are served, leave, become other programs, are killed and stopped at any
// moment, by their own choice or the test's. No limit is ever exceeded, no process waits forever,
// and in the end every count is right.
func TestTorture(t *testing.T) {
	const workers = 64
	times := 6000
	if testing.Short() {
		times = 1500
	}
	l := newLedger(t, MinClients)
	x := &torturer{
		t: t, program: plainProgram(t), path: ledgerPath(t, l),
		workers: make([]*child, workers+1), killed: make([]*child, workers+1),
	}
	var err error
	if x.lines, err = tortureLines(filepath.Join(x.path+".lines"), workers+1); err != nil {
		t.Fatal(err)
	}
	x.tokens = newSemaphores(t, tortureConns, tortureConns, tortureConns, tortureServing,
		tortureWaiting)
	defer x.end()
	for n := 1; n <= workers; n++ {
		x.spawn(n)
	}
	x.torment(times, 10*workers)
	x.rest()
	x.check(l)

	var begun, busy, broken uint64
	for _, line := range x.lines[1:] {
		begun += line.begun.Load()
		busy += line.busy.Load()
		broken += line.broken.Load()
	}
	x.mu.Lock()
	endings := x.endings
	x.mu.Unlock()
	t.Logf("%d arrivals, %d killed, %d stopped, %d ended; %d times the ledger was held",
		x.arrivals(), x.kills, x.stops, endings, busy)
	if broken > 0 {
		t.Errorf("%d times a limit was exceeded", broken)
	}
	if n := l.totals.verdicts[1]; n < x.arrivals() || n > begun {
		t.Errorf("the ledger counts %d arrivals; want %d to %d", n, x.arrivals(), begun)
	}
	x.end()
	x.check(l)
	trim(t, l, Now().After(2*time.Second), tortureBlocks)
	if n := len(inForce(t, l, Now())); n > tortureBlocks || n == 0 {
		t.Errorf("%d blocks run; want %d at most, and some", n, tortureBlocks)
	}
}
