package main

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// measureCounts counts what programs do for a client that they refuse because it speaks early, and
// for one that is blocked. Each program is bound to one CPU: the number of threads that Go's
// runtime makes depends on the number of CPUs.
func measureCounts(l *bench) {
	hasten(os.Getpid())
	i := l.instance("counts", "mta "+l.program("stub"))
	early := refusal{"refused", "PREGREET", l.client}
	l.countProcesses(early, append(l.withText(i.peer(earlyReply)), l.goFloor(), l.cFloor())...)
	l.countFloods(early, l.roomAndPostscreen("counts-room", "block strikes=8 within=1s")...)
	bad := l.client()
	must(i.command("block", bad.String(), "1h"))
	blocked := refusal{"blocked", "BLOCKED", func() netip.Addr { return bad }}
	l.countProcesses(blocked, append(l.withText(i.peer(blockedReply)), l.goFloor())...)
	l.countFloods(blocked, i.in(l.room(i), blockedReply))
	l.countPassed()
	if l.door {
		size := must(os.Stat(i.program)).Size()
		r := oursAlone("size of what starts for a client", "kB", float64(size)/1000)
		l.put(r.within(doorSize))
	}
}

// doorSize is what the door's file may have, in kB.
const doorSize = 1800

// countPassed counts what programs do for a client that they pass, until they become the MTA.
func (l *bench) countPassed() {
	i := l.instance("counts-passed", "mta "+l.program("stub"), "greet_delay 0s")
	passed := refusal{"passed", "PASS", l.client}
	peers := append(l.withText(i.peer(stubGreeting)), l.goFloorMTA())
	for n := range peers {
		peers[n].becomes = l.program("stub")
	}
	l.countProcesses(passed, peers...)
}

// faultsMore are the page faults that a process for one client may have more than the Go floor.
const faultsMore = 25

// refusal says which clients are counted.
type refusal struct {
	what, verdict string
	from          func() netip.Addr
}

func (l *bench) countProcesses(r refusal, peers ...peer) {
	each := 50
	if l.quick {
		each = 10
	}
	got := must(takeTurns(l.fewer(l.slices), peers, func(p peer) ([]perClient, error) {
		return reaching(p, r.verdict, each, func() (all []perClient, err error) {
			for n := 0; n < each && err == nil; n++ {
				var c counted
				opening := slam
				if p.becomes != "" {
					opening = ""
				}
				c, err = l.countProcess(p, r.from(), opening)
				all = append(all, c.by(1))
			}
			return all, err
		})
	}))
	l.putCounts(r.what+" client: a process each", got)
}

// faultsTarget adds to a row of page faults what they may be.
func faultsTarget(r row, every series) row {
	if strings.Contains(r.What, "page faults") && every.median(goFloor) > 0 {
		return r.within(every.median(goFloor) + faultsMore)
	}
	return r
}

func (l *bench) countFloods(r refusal, peers ...peer) {
	for _, together := range atOnce {
		got := must(takeTurns(l.fewer(l.slices), peers, func(p peer) ([]perClient, error) {
			return l.countFlood(p, r, together), nil
		}))
		l.putCounts(fmt.Sprintf("%s client: the room, %d at a time", r.what, together), got)
	}
}

// perClient is what was counted, for each client.
type perClient struct{ calls, threads, faults, made float64 }

func (c counted) minus(d counted) counted {
	return counted{c.calls - d.calls, c.threads - d.threads, c.faults - d.faults, c.made - d.made}
}

func (c counted) by(clients int) perClient {
	each := func(n int) float64 { return float64(n) / float64(clients) }
	return perClient{each(c.calls), each(c.threads), each(c.faults), each(c.made)}
}

// countFlood counts what a daemon does for a flood of clients, until it has closed the last
// connection, less what it does in the same time without clients.
func (l *bench) countFlood(p peer, who refusal, together int) []perClient {
	r := load{clients: 1000, atOnce: together, from: who.from, opening: slam}
	if l.quick {
		r.clients /= 5
	}
	// The room closes a connection a tenth of a second after its reply.
	const linger = 500 * time.Millisecond
	must(l.visits(p, load{clients: together, atOnce: together, from: who.from, opening: slam}))
	worker := p.at.worker(p.name)
	check(pin(int(worker), must(cpus())[0]))
	hasten(int(worker))
	time.Sleep(linger)
	began := time.Now()
	c := must(reaching(p, who.verdict, r.clients, func() (counted, error) {
		return countDaemon(worker, func() error {
			defer time.Sleep(linger)
			_, err := l.visits(p, r)
			return err
		})
	}))
	took := time.Since(began)
	idle := must(countDaemon(worker, func() error { time.Sleep(took); return nil }))
	return []perClient{c.minus(idle).by(r.clients)}
}

// worker returns the daemon's process of that name.
func (d *daemon) worker(name string) child {
	for _, c := range d.processes() {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", c))
		if strings.HasPrefix(string(comm), name) { // a room is called sendwrap-room
			return c
		}
	}
	panic(failure{fmt.Errorf("%s has no process %s", d.name, name)})
}

// putCounts puts the rows of what was counted: medians, and their range.
func (l *bench) putCounts(who string, got turns[perClient]) {
	for _, kind := range []struct {
		what string
		of   func(perClient) float64
	}{
		{"system calls of a %s", func(c perClient) float64 { return c.calls }},
		{"… of threads that sleep and wake: %s", func(c perClient) float64 { return c.threads }},
		{"minor page faults of a %s", func(c perClient) float64 { return c.faults }},
		{"threads made for a %s", func(c perClient) float64 { return c.made }},
	} {
		every := make(series)
		for name, rounds := range got {
			for _, round := range rounds {
				for _, c := range round {
					every[name] = append(every[name], kind.of(c))
				}
			}
		}
		r := every.row(fmt.Sprintf(kind.what, who), "")
		for i, v := range r.Values {
			r.Values[i].Low, r.Values[i].High = slices.Min(every[v.Peer]), slices.Max(every[v.Peer])
		}
		for _, peer := range []string{goFloor, postscreen} {
			if every.median(peer) > 0 {
				r.Against, r.Ratio = peer, every.median(ours)/every.median(peer)
			}
		}
		l.put(faultsTarget(r, every))
	}
}
