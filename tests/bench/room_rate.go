package main

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// flooding is how many clients the load generator keeps connected.
const flooding = 100

// measureRoomRate measures how many clients a second one CPU refuses. The clients and the reader of
// the log have another one.
func measureRoomRate(l *bench) {
	what := "clients refused a second by one CPU: spoke early, 100 at a time"
	all := must(cpus())
	if len(all) < 2 {
		l.put(row{What: what, Skipped: "one CPU only"})
		return
	}
	// An address may come back within the run, a minute later: it must not be blocked then.
	peers := l.roomAndPostscreen("room-rate", "block strikes=8 within=1s")
	// After their start: that is when a Go program counts the CPUs.
	check(pin(os.Getpid(), all[1]))
	few := l.fewer(7)
	got := must(takeTurns(few, peers, func(p peer) ([]burst, error) {
		if err := p.at.pin(all[0]); err != nil {
			return nil, err
		}
		r := load{clients: 200 * l.conns, atOnce: flooding, from: l.client, opening: slam}
		if l.quick {
			r.clients /= 4
		}
		return few.flood("PREGREET", p, r)
	}))
	rate := got.reduce(func(bursts []burst) float64 { return 1e6 / tookEach(bursts) })
	busy := got.reduce(func(bursts []burst) float64 {
		b := sum(bursts)
		return 100 * b.cpu.Seconds() / b.took.Seconds()
	})
	cpu := got.reduce(cpuEach)
	first := rate.row(what, "1/s")
	if len(peers) > 1 {
		first = first.against(rate, postscreen)
	}
	l.put(first, busy.row("use of that CPU meanwhile: below 100, the clients are the limit", "%"))
	what = "CPU of a client the room refuses: spoke early, 100 at a time, CPUs apart"
	l.put(cpu.compared(what, "µs", roomTarget, limits{{postscreen, postscreenTarget}})...)
}

// measureRoomFlood measures how many slammers a second the room refuses while patient clients come,
// and how much later than their delay these are greeted. Each of them must be greeted.
func measureRoomFlood(l *bench) {
	const patients, delay = 100, time.Second
	slammers := 100_000
	if l.quick {
		slammers /= 10
	}
	i := l.instance("room-flood", "mta "+l.program("stub"),
		fmt.Sprintf("greet_delay %v stress=%[1]v", delay), "block strikes=8 within=1s")
	d := l.room(i)
	greeted := make(chan error, patients)
	late := make(chan float64, patients)
	patient := func(from netip.Addr) {
		began := time.Now()
		c, err := dial(from, d.addr)
		if err == nil {
			defer c.close()
			err = c.converse(turn{"", stubGreeting})
		}
		late <- ms(time.Since(began) - delay)
		greeted <- err
	}
	came := 0
	r := load{clients: slammers, atOnce: flooding, opening: slam, from: func() netip.Addr {
		if came++; came%(slammers/patients) == 0 {
			go patient(l.client())
		}
		return l.client()
	}}
	var took time.Duration
	check(i.reaching(map[string]int{"PREGREET": slammers, "PASS": patients}, func() error {
		began := time.Now()
		_, err := l.visits(i.in(d, earlyReply), r)
		took = time.Since(began)
		for n := 0; n < patients && err == nil; n++ {
			err = <-greeted
		}
		return err
	}))
	var lateness []float64
	for range patients {
		lateness = append(lateness, <-late)
	}
	l.put(
		oursAlone("clients the room refuses a second, while patient ones come",
			"1/s", float64(slammers)/took.Seconds()),
		oursAlone(fmt.Sprintf("patient clients served of %d that came meanwhile", patients),
			"", patients),
		oursAlone(fmt.Sprintf("greeting of those, later than their %v: median", delay),
			"ms", median(lateness)))
}

// cpus returns the CPUs that this process may use, each alone.
func cpus() (each []unix.CPUSet, err error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	for cpu := 0; len(each) < all.Count(); cpu++ {
		if all.IsSet(cpu) {
			var one unix.CPUSet
			one.Set(cpu)
			each = append(each, one)
		}
	}
	return each, nil
}
