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

// wideTarget is what an arrival with limits of one wide network may take beside one with none.
const wideTarget = 1.4

// measureLedger measures the ledger alone, within this program.
func measureLedger(l *bench) {
	few, many := filledLedger{clients: 10}, filledLedger{clients: 60_000}
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
		took := must(l.ledgerTurns(kind.name, kind.work, few, many))
		for _, of := range []filledLedger{few, many} {
			what := fmt.Sprintf("%s: %d clients in it", kind.what, of.clients)
			r := oursAlone(what, "µs", took.median(of.name())).within(kind.target)
			if of != few {
				r.Ratio, r.Against = took.ratio(of.name(), few.name()), "10 clients"
			}
			l.put(r)
		}
	}
	one, two := many, many
	one.wide, two.wide = 1, 2
	took := must(l.ledgerTurns("wide", (*filledLedger).visit, many, one, two))
	for _, of := range []filledLedger{one, two} {
		what := fmt.Sprintf("ledger, an arrival and its end: wide networks with limits: %d",
			of.wide)
		r := oursAlone(what, "µs", took.median(of.name()))
		r.Ratio, r.Against = took.ratio(of.name(), many.name()), "none"
		if of == one {
			r.Target, r.Missed = wideTarget, r.Ratio > wideTarget
		}
		l.put(r)
	}
}

// ledgerTurns lets such ledgers take turns and returns what work took, in µs.
func (l *bench) ledgerTurns(
	what string, work func(*filledLedger) (time.Duration, error), all ...filledLedger,
) (series, error) {
	ledgers := make(map[string]*filledLedger)
	var peers []peer
	for _, r := range all {
		p := peer{name: r.name()}
		r.path = filepath.Join(l.dir, what+"-"+p.name, "ledger")
		if err := r.fill(); err != nil {
			return nil, err
		}
		defer r.open.Close()
		peers, ledgers[p.name] = append(peers, p), &r
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
	wide    int // limits of how many wide networks hold for each
	next    int // the client that arrives next
	open    *ledger.Ledger
}

// ledgerSize is sendwrap's default.
const ledgerSize = 65536

// name tells it from others.
func (r *filledLedger) name() string { return fmt.Sprintf("%d-%d", r.clients, r.wide) }

// fill makes the ledger.
func (r *filledLedger) fill() error {
	var err error
	if r.open, _, err = ledger.Open(r.path, ledgerSize, ledger.ThisBoot()); err != nil {
		return err
	}
	for range r.clients {
		a := r.client()
		err = r.open.Do(ledger.Now(), func(t *ledger.Tx) { t.Remember(a.Network, time.Hour) })
		if err != nil {
			return err
		}
	}
	return nil
}

// client returns the next of the ledger's clients, under the default limits.
func (r *filledLedger) client() ledger.Arrival {
	i := r.next % r.clients
	r.next++
	a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	arrival := ledger.Arrival{
		Client:  netip.AddrPortFrom(a, 50000),
		Network: netip.PrefixFrom(a, 32),
		Limits:  ledger.Limits{Serving: 300, Waiting: 1000, Conns: 50, Rate: 100, Per: time.Minute},
	}
	if r.wide > 0 {
		arrival.WideLimits = new([ledger.MaxWide]ledger.WideLimits)
		for n, bits := range []int{24, 16}[:r.wide] {
			arrival.WideLimits[n] = ledger.WideLimits{
				Network: netip.PrefixFrom(a, bits).Masked(),
				Conns:   200, Rate: 65535, Per: time.Minute,
			}
		}
	}
	return arrival
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

// visit returns the time of both.
func (r *filledLedger) visit() (time.Duration, error) {
	enter, leave, err := operate(r.open, r.client(), ledger.Process{PID: 1})
	return enter + leave, err
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
