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
	i, err := l.instance("room-rate", "mta "+l.program("stub"), "block strikes=8 within=1s")
	if err != nil {
		return nil, err
	}
	room, err := l.room(i)
	if err != nil {
		return nil, err
	}
	defer room.stop()
	peers := []peer{i.in(room, earlyReply)}
	lack := l.lackOfPostfix()
	if lack == "" {
		p, err := l.postscreen("postfix-rate", "PREGREET")
		if err != nil {
			return nil, err
		}
		defer p.stop()
		peers = append(peers, peer{name: postscreen, at: p, says: postscreenEarly})
	}
	// After their start: a Go program counts then how many CPUs it has.
	servers, clients := firstCPUs(all)
	if err := pin(os.Getpid(), clients); err != nil {
		return nil, err
	}
	defer pin(os.Getpid(), all)
	few := l.fewer(7)
	got, err := takeTurns(few.rounds, few.slices, peers, func(p peer) ([]burst, error) {
		// Each time: postscreen has been started by its first client only.
		processes, err := p.at.processes()
		if err != nil {
			return nil, err
		}
		for _, c := range processes {
			if err := pin(int(c), servers); err != nil {
				return nil, err
			}
		}
		r := rush{clients: 200 * few.conns, atOnce: flooding, from: l.client, opening: slam}
		if few.quick {
			r.clients /= 4
		}
		var b burst
		err = p.reaching("PREGREET", r.clients, func() (err error) {
			b, err = few.flood(p, r)
			return err
		})
		return []burst{b}, err
	})
	if err != nil {
		return nil, err
	}
	rate := got.reduce(func(bursts []burst) float64 { return 1e6 / tookEach(bursts) })
	busy := got.reduce(func(bursts []burst) float64 { b := sum(bursts); return 100 * b.cpu.Seconds() / b.took.Seconds() })
	rows := []row{rate.row(what, "1/s"), busy.row("that CPU's use meanwhile: below 100, the clients are too slow", "%")}
	if lack != "" {
		rows = append(rows, row{What: "the same with postscreen", Skipped: lack})
	} else {
		rows[0] = rows[0].against(rate, postscreen)
	}
	return rows, room.stop()
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
