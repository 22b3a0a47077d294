package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// flooding is how many clients the load generator keeps connected.
const flooding = 100

// measureRoomRate measures how many clients a second one CPU refuses. The
// clients, and who reads the log, have another one.
func measureRoomRate(l *lab) ([]row, error) {
	const what = "clients refused a second by one CPU: spoke early, 100 at a time"
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	if all.Count() < 2 {
		return []row{{What: what, Skipped: "one CPU only"}}, nil
	}
	// An address may come back within the run, a minute later: that must not block it.
	peers, stop, err := l.roomAndPostscreen("room-rate", "block strikes=8 within=1s")
	if err != nil {
		return nil, err
	}
	defer stop()
	// After their start: a Go program counts then how many CPUs it has.
	servers, clients := firstCPUs(all)
	if err := pin(os.Getpid(), clients); err != nil {
		return nil, err
	}
	defer pin(os.Getpid(), all)
	few := l.fewer(7)
	got, err := takeTurns(few.rounds, few.slices, peers, func(p peer) ([]burst, error) {
		b, err := few.rateTurn(p, servers)
		return []burst{b}, err
	})
	if err != nil {
		return nil, err
	}
	rate := got.reduce(func(bursts []burst) float64 { return 1e6 / tookEach(bursts) })
	busy := got.reduce(func(bursts []burst) float64 { b := sum(bursts); return 100 * b.cpu.Seconds() / b.took.Seconds() })
	cpu := got.reduce(cpuEach)
	rows := []row{rate.row(what, "1/s"), busy.row("use of that CPU meanwhile: below 100, the clients are the limit", "%")}
	if why := l.lackOfPostfix(); why != "" {
		rows = append(rows, row{What: "the same with postscreen", Skipped: why})
	} else {
		rows[0] = rows[0].against(rate, postscreen)
	}
	rows = append(rows, cpu.compared("CPU of a client the room refuses: spoke early, 100 at a time, CPUs apart", "µs",
		roomTarget, limits{{postscreen, postscreenTarget}})...)
	return rows, stop()
}

// rateTurn lets clients flood p, all whose processes have those CPUs.
func (l *lab) rateTurn(p peer, servers unix.CPUSet) (burst, error) {
	// Each time: postscreen has been started by its first client only.
	processes, err := p.at.processes()
	if err != nil {
		return burst{}, err
	}
	for _, c := range processes {
		if err := pin(int(c), servers); err != nil {
			return burst{}, err
		}
	}
	r := rush{clients: 200 * l.conns, atOnce: flooding, from: l.client, opening: slam}
	if l.quick {
		r.clients /= 4
	}
	var b burst
	err = p.reaching("PREGREET", r.clients, func() (err error) {
		b, err = l.flood(p, r)
		return err
	})
	return b, err
}

// firstCPUs returns the first two CPUs of a set, each alone.
func firstCPUs(all unix.CPUSet) (first, second unix.CPUSet) {
	for cpu := 0; second.Count() == 0; cpu++ {
		switch {
		case !all.IsSet(cpu):
		case first.Count() == 0:
			first.Set(cpu)
		default:
			second.Set(cpu)
		}
	}
	return first, second
}
