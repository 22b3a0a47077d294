package main

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"sendwrap/wrapper/ledger"
)

// The limits of the ledger, in microseconds, however many clients are in it.
const (
	arrivalTarget   = 60 // all that an arrival does with it, opening included
	operationTarget = 3  // one operation on an open one
)

// measureLedger measures the ledger alone, within this program.
func measureLedger(l *bench) {
	counts := []int{10, 60_000}
	for _, kind := range []struct {
		what, name string
		target     float64
		work       func(*filledLedger) (time.Duration, error)
	}{
		{"ledger, all of an arrival with opening", "arrival", arrivalTarget,
			(*filledLedger).arrival},
		{"ledger, one operation on an open one", "operation", operationTarget,
			(*filledLedger).operations},
	} {
		took := must(l.ledgerTurns(kind.name, counts, kind.work))
		first := fmt.Sprint(counts[0])
		for _, n := range counts {
			name := fmt.Sprint(n)
			what := fmt.Sprintf("%s: %d clients in it", kind.what, n)
			r := oursAlone(what, "µs", took.median(name)).within(kind.target)
			if name != first {
				r.Ratio, r.Against = took.ratio(name, first), first+" clients"
			}
			l.put(r)
		}
	}
}

// ledgerTurns lets ledgers with so many clients take turns and returns what work took, in µs.
func (l *bench) ledgerTurns(
	name string, counts []int, work func(*filledLedger) (time.Duration, error),
) (series, error) {
	ledgers := make(map[string]*filledLedger)
	var peers []peer
	for _, n := range counts {
		p := peer{name: fmt.Sprint(n)}
		path := filepath.Join(l.dir, fmt.Sprintf("%s-%d", name, n), "ledger")
		r, err := newFilledLedger(path, n)
		if err != nil {
			return nil, err
		}
		defer r.open.Close()
		peers, ledgers[p.name] = append(peers, p), r
	}
	got, err := takeTurns(l, peers, func(p peer) (all []float64, err error) {
		for range 10 * l.conns {
			took, err := work(ledgers[p.name])
			if err != nil {
				return nil, err
			}
			all = append(all, us(took))
		}
		return all, nil
	})
	return got.reduce(median), err
}

// filledLedger is a ledger with clients in it.
type filledLedger struct {
	path    string
	clients int
	next    int // the client that arrives next
	open    *ledger.Ledger
}

// ledgerSize is sendwrap's default.
const ledgerSize = 65536

// newFilledLedger makes a ledger that knows so many clients.
func newFilledLedger(path string, clients int) (*filledLedger, error) {
	r := &filledLedger{path: path, clients: clients}
	var err error
	if r.open, _, err = ledger.Open(path, ledgerSize, ledger.ThisBoot()); err != nil {
		return nil, err
	}
	for range clients {
		a := r.client()
		err = r.open.Do(ledger.Now(), func(t *ledger.Tx) { t.Remember(a.Network, time.Hour) })
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// client returns the next of the ledger's clients, under the default limits.
func (r *filledLedger) client() ledger.Arrival {
	i := r.next % r.clients
	r.next++
	a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	return ledger.Arrival{
		Client:  netip.AddrPortFrom(a, 50000),
		Network: netip.PrefixFrom(a, 32),
		Limits:  ledger.Limits{Serving: 300, Waiting: 1000, Conns: 50, Rate: 100, Per: time.Minute},
	}
}

// arrival returns the time of all that a process does with the ledger for a client that hangs up.
func (r *filledLedger) arrival() (time.Duration, error) {
	a := r.client()
	began := time.Now()
	l, notes, err := ledger.Open(r.path, ledgerSize, ledger.LaterBoot())
	if err != nil {
		return 0, err
	}
	_, _, err = operate(l, a, ledger.Self())
	if cerr := l.Close(); err == nil {
		err = cerr
	}
	took := time.Since(began)
	if err == nil && notes != nil {
		err = fmt.Errorf("the ledger was not taken as it is: %q", notes)
	}
	return took, err
}

// operations returns the time of the slower one of the two operations for a client that hangs up.
func (r *filledLedger) operations() (time.Duration, error) {
	enter, leave, err := operate(r.open, r.client(), ledger.Process{PID: 1})
	return max(enter, leave), err
}

// operate lets a client enter and leave the ledger and returns how long each took. It reports an
// error unless the session counts in between.
func operate(l *ledger.Ledger, a ledger.Arrival, self ledger.Process) (
	enter, leave time.Duration, err error,
) {
	var s ledger.Session
	var before, after ledger.Standing
	began := time.Now()
	err = l.Do(ledger.Now(), func(t *ledger.Tx) {
		before = t.Look(a)
		s, _ = t.Enter(a, self)
	})
	entered := time.Now()
	if err != nil {
		return 0, 0, err
	}
	err = l.Do(ledger.Now(), func(t *ledger.Tx) {
		after = t.Look(a)
		t.Count(0)
		t.Left(time.Second)
		t.Leave(s)
	})
	left := time.Now()
	if err == nil && (before.Conns != 0 || after.Conns != 1) {
		err = fmt.Errorf("%v: the ledger says %+v before, %+v after", a.Client, before, after)
	}
	return entered.Sub(began), left.Sub(entered), err
}
