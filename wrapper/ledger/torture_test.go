package ledger

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// torturer keeps many workers at work and lets none of them work in peace.
type torturer struct {
	t       *testing.T
	program string
	path    string
	lines   []*tortureLine // [0] is our own, [n] that of worker n
	tokens  semaphores

	mu       sync.Mutex
	workers  []*child // as the lines
	ended    sync.WaitGroup
	kills    int
	stops    int
	respawns int
}

// spawn starts worker n, and again each time it ends, until it is time to finish.
func (x *torturer) spawn(n int) {
	c := startAs(x.t, x.program, nil, nil, "torture", x.path, x.path+".lines", fmt.Sprint(n), fmt.Sprint(int(x.tokens)))
	c.reaped = true // by the goroutine here
	x.mu.Lock()
	x.workers[n] = c
	x.mu.Unlock()
	x.ended.Go(func() {
		_ = c.Wait()
		x.lines[n].holds.Store(0)
		x.mu.Lock()
		x.workers[n] = nil
		x.respawns++
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
	}
}

// torment kills, stops and continues workers at random for so long.
func (x *torturer) torment(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		n := 1 + rand.IntN(len(x.lines)-1)
		switch dice := rand.IntN(100); {
		case dice < 8:
			x.signal(n, unix.SIGKILL)
			x.kills++
		case dice < 20 && x.lines[n].stops.Load()%2 == 0:
			x.stops++
			x.lines[n].stops.Add(1)
			x.signal(n, unix.SIGSTOP)
			x.ended.Go(func() {
				time.Sleep(time.Duration(rand.IntN(80)) * time.Millisecond)
				x.signal(n, unix.SIGCONT)
				time.Sleep(time.Millisecond) // it may still be on its way
				x.lines[n].stops.Add(1)
			})
		}
		x.signal(1+rand.IntN(len(x.lines)-1), unix.SIGCONT) // of those that have stopped themselves
	}
}

// rest lets all workers come to rest, with whatever session they have.
func (x *torturer) rest() {
	x.lines[0].finish().Store(1)
	eventually(x.t, "all workers are at rest", func() bool {
		resting := true
		for n := 1; n < len(x.lines); n++ {
			x.signal(n, unix.SIGCONT)
			x.mu.Lock()
			alive := x.workers[n] != nil
			x.mu.Unlock()
			holds := x.lines[n].holds.Load()
			if alive && holds&holdsParked == 0 && holds&holdsServing == 0 {
				resting = false
			}
		}
		return resting
	})
	time.Sleep(time.Second) // for those that have become programs that end soon, and for a verdict on pids
}

// end kills all that are left.
func (x *torturer) end() {
	for n := 1; n < len(x.lines); n++ {
		x.signal(n, unix.SIGKILL)
	}
	x.ended.Wait()
}

// check holds the ledger against what the workers that live say they have.
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
			x.t.Errorf("the ledger counts %d waiting, %d serving; there are %d, %d", n.Waiting, n.Serving, waiting, serving)
		}
		for n, want := range conns {
			a := Arrival{Client: from(hostN(n << 8)).Client, Network: tortureNetwork(n), Limits: Limits{Conns: 1}}
			if s := tx.Look(a); s.Conns != want {
				x.t.Errorf("the ledger counts %d sessions of network %d; there are %d", s.Conns, n, want)
			}
		}
	})
	mustAudit(x.t, l)
}

// Many processes enter, are served, leave, become other programs, are killed and stopped at any moment, their own and
// the test's choice. No limit is ever exceeded, nobody waits too long, and in the end every count is right.
func TestTorture(t *testing.T) {
	const workers = 64
	long := 20 * time.Second
	if testing.Short() {
		long = 3 * time.Second
	}
	l := newLedger(t, MinClients)
	x := &torturer{t: t, program: plainProgram(t), path: ledgerPath(t, l), workers: make([]*child, workers+1)}
	var err error
	if x.lines, err = tortureLines(filepath.Join(x.path+".lines"), workers+1); err != nil {
		t.Fatal(err)
	}
	x.tokens = newSemaphores(t, tortureConns, tortureConns, tortureConns, tortureServing, tortureWaiting)
	defer x.end()
	for n := 1; n <= workers; n++ {
		x.spawn(n)
	}
	x.torment(long)
	x.rest()
	x.check(l)

	var sum tortureLine
	for _, line := range x.lines[1:] {
		sum.begun.Add(line.begun.Load())
		sum.done.Add(line.done.Load())
		sum.busy.Add(line.busy.Load())
		sum.slow.Add(line.slow.Load())
		sum.broken.Add(line.broken.Load())
		sum.worst.Store(max(sum.worst.Load(), line.worst.Load()))
		sum.worstSleep.Store(max(sum.worstSleep.Load(), line.worstSleep.Load()))
	}
	x.mu.Lock()
	ended := x.respawns
	x.mu.Unlock()
	worst, slack := time.Duration(sum.worst.Load()), time.Duration(sum.worstSleep.Load())
	t.Logf("%d arrivals, %d killed and %d stopped by the test, %d ended; %d times ErrBusy, %d works took more than %v, the longest %v; a sleep was %v too long at worst",
		sum.done.Load(), x.kills, x.stops, ended, sum.busy.Load(), sum.slow.Load(), promised, worst, slack)
	if n := sum.broken.Load(); n > 0 {
		t.Errorf("%d times a limit was exceeded", n)
	}
	if n := l.totals.verdicts[1]; n < sum.done.Load() || n > sum.begun.Load() {
		t.Errorf("the ledger counts %d arrivals; between %d and %d have been", n, sum.done.Load(), sum.begun.Load())
	}
	if most := promised + 250*time.Millisecond + 4*slack; worst > min(most, crowdPatience+slack) {
		t.Errorf("somebody waited %v; want %v at most on this machine", worst, most)
	}
	x.end()
	time.Sleep(identityGood * time.Millisecond)
	x.check(l)
	trim(t, l, Now().After(2*time.Second), tortureBlocks)
	if n := len(inForce(t, l, Now())); n > tortureBlocks || n == 0 {
		t.Errorf("%d blocks run; want %d at most, and some", n, tortureBlocks)
	}
}
