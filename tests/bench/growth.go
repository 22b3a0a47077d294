package main

import (
	"fmt"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// What a client may cost.
const (
	roomMemoryTarget  = 1    // kB of the room,
	chargedTarget     = 0.85 // and times postscreen, with the kernel's:
	roomTargetsFrom   = 100  // when so many wait
	guardMemoryTarget = 8    // kB of the guard, for a session
)

// crowded is a daemon with many clients.
type crowded struct {
	at    *daemon
	file  string // mapped by it, and no part of its private memory
	fill  func(n int)
	empty func()
}

// starter starts a daemon, as one whose name is not taken yet.
type starter func(in *bench, name string) *crowded

// growing measures how daemons grow with the number of their clients, and puts the rows. what says
// whose memory it is; targets hold from that count on. Each daemon is a process of its own, so that
// nothing needs warming up; two rounds, since they hardly vary.
func (l *bench) growing(
	name, what string, counts []int, starters map[string]starter, target float64, from int,
) {
	unusable := tryMemoryGroup(groupName(l.dir))
	private, charged := make([]series, len(counts)), make([]series, len(counts))
	for n := range counts {
		private[n], charged[n] = make(series), make(series)
	}
	for round := range min(l.rounds, 2) {
		for _, who := range []string{ours, postscreen} {
			start, ok := starters[who]
			if !ok || l.late() != nil {
				continue
			}
			l.rewind()
			for n, m := range l.grown(fmt.Sprintf("%s-%d", name, round), start, counts,
				unusable == nil) {
				private[n][who] = append(private[n][who], m.private)
				charged[n][who] = append(charged[n][who], m.charged)
			}
		}
	}
	if late := l.late(); late != nil {
		l.cut = late.Error()
	}
	for n, count := range counts {
		if len(private[n][ours]) == 0 {
			check(l.late())
		}
		of := fmt.Sprintf(" of %s: %d at once", what, count)
		p := private[n].row("private memory"+of, "kB")
		c := charged[n].row("memory with the kernel's"+of, "kB")
		if count >= from {
			p = p.within(target)
		}
		_, beside := charged[n][postscreen]
		switch {
		case unusable != nil:
			c = row{What: c.What, Unit: c.Unit, Skipped: unusable.Error()}
		case beside && count >= from:
			c = c.atMost(charged[n], postscreen, chargedTarget)
		case beside:
			c = c.against(charged[n], postscreen)
		}
		l.put(p, c)
	}
}

// grown starts a daemon, lets clients in up to each of counts, and returns what each of them costs
// then. Ten that left before do not count: a program may need memory for its first client only. A
// cgroup stays if the measurement fails; it goes when that has ended.
func (l *bench) grown(name string, start starter, counts []int, inGroup bool) (grown []memory) {
	in := *l
	if inGroup {
		in.group = must(newMemoryGroup(groupName(l.dir)))
	}
	h := start(&in, name)
	h.fill(10)
	h.empty()
	before := h.at.memoryNow(h.file, in.group)
	for _, n := range counts {
		m, err := try(func() (memory, error) {
			h.fill(n)
			return h.at.memoryNow(h.file, in.group), nil
		})
		if err != nil && l.late() != nil {
			break // what has been measured is not lost
		}
		check(err)
		grown = append(grown, memory{
			private: (m.private - before.private) / float64(n),
			charged: (m.charged - before.charged) / float64(n),
		})
	}
	h.empty()
	check(h.at.stop())
	if inGroup {
		check(in.group.remove())
	}
	return grown
}

// roomMost is how many clients wait where any machine lets us have the descriptors.
const roomMost = 10_000

// measureRoomMemory measures the memory of a client that waits in the room, by the number of them;
// the delay is longer than the measurement.
func measureRoomMemory(l *bench) {
	counts := []int{100, 1000, roomMost}
	if l.quick {
		counts = counts[:2]
	}
	starters := map[string]starter{ours: func(in *bench, name string) *crowded {
		i := in.instance(name, "mta "+in.program("stub"),
			"greet_delay 290s stress=290s", "max_waiting 20000")
		d := in.room(i)
		c := &crowd{bench: in, at: d, waiting: i.waiting}
		return &crowded{at: d, file: i.ledger, fill: c.fill, empty: c.empty}
	}}
	if lab.NoPostfix() == "" {
		starters[postscreen] = func(in *bench, name string) *crowded {
			const came, left = "postscreen CONNECT", "postscreen HANGUP"
			before := in.log.seen(came) - in.log.seen(left)
			d := in.postscreen("postfix-"+name, "CONNECT", "postscreen_greet_wait = 290s")
			c := &crowd{bench: in, at: d, waiting: func() (int, error) {
				return in.log.seen(came) - in.log.seen(left) - before, nil
			}}
			return &crowded{at: d, fill: c.fill, empty: c.empty}
		}
	}
	l.growing("room-memory", "a client waiting in the room", counts, starters,
		roomMemoryTarget, roomTargetsFrom)
	if !l.quick {
		l.part("memory of a client waiting in the room: many", l.roomFull)
	}
}

// roomFull measures the same with as many clients as hardly any limit allows, in the room alone. If
// this machine does not let us have so many descriptors, it takes as many as it does.
func (l *bench) roomFull() {
	many := 100_000
	limit := unix.Rlimit{Cur: uint64(2 * many), Max: uint64(2 * many)}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		check(unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
		l.put(row{What: fmt.Sprintf("memory of a client waiting in the room: %d at once", many),
			Skipped: fmt.Sprintf("setrlimit: %v; no more than %d descriptors", err, limit.Max)})
		// A room keeps one in 16 for clients that need not wait.
		if many = int(limit.Max) / 10 * 9; many <= roomMost {
			return
		}
	}
	l.growing("room-full", "a client waiting in the room", []int{many}, map[string]starter{
		ours: func(in *bench, name string) *crowded {
			// Half as many sessions as clients fit.
			i := in.instanceFor(2*many, name, "mta "+in.program("stub"),
				"greet_delay 290s stress=290s", fmt.Sprint("max_waiting ", 2*many))
			d := in.room(i)
			c := &crowd{bench: in, at: d, waiting: i.waiting}
			return &crowded{at: d, file: i.ledger, fill: c.fill, empty: c.empty}
		},
	}, roomMemoryTarget, 0)
}

// crowd are silent clients of a daemon, which wait.
type crowd struct {
	bench   *bench
	at      *daemon
	waiting func() (int, error) // how many the daemon says there are
	here    []*client
}

// fill adds clients until n wait.
func (c *crowd) fill(n int) {
	for len(c.here) < n {
		check(c.bench.late())
		c.here = append(c.here, must(dial(c.bench.client(), c.at.addr)))
	}
	c.expect(n)
}

// empty lets the clients leave, slowly enough for their log lines to find room.
func (c *crowd) empty() {
	const together = 100
	for len(c.here) > 0 {
		n := min(together, len(c.here))
		for _, one := range c.here[:n] {
			one.close()
		}
		c.here = c.here[n:]
		c.expect(len(c.here))
	}
}

// expect waits until n clients wait.
func (c *crowd) expect(n int) {
	check(await(fmt.Sprintf("%d clients wait", n), func() (bool, error) {
		waiting, err := c.waiting()
		return waiting == n, err
	}))
}

// measureGuardMemory measures what a session costs in the guard whose client has sent a message and
// stays. The sessions are those of an MTA with a thousand processes, as far as the guard can see.
func measureGuardMemory(l *bench) {
	counts := []int{100, 1000}
	if l.quick {
		counts = counts[:1]
	}
	starters := map[string]starter{ours: func(in *bench, name string) *crowded {
		g := in.guarded(name, "")
		var here []*lab.Milter
		h := &crowded{at: g.guard, file: g.ledger}
		h.fill = func(n int) {
			for len(here) < n {
				check(in.late())
				here = append(here, must(milterSession(g.socket, in.client())))
			}
		}
		h.empty = func() {
			for _, c := range here {
				c.Close()
			}
			here = nil
			g.nobodyCaught()
		}
		return h
	}}
	l.growing("guard-memory", "a session in the guard", counts, starters, guardMemoryTarget, 0)
}

// nobodyCaught checks that the guard has reached no verdict about any client.
func (g guarded) nobodyCaught() {
	s := must(g.status())
	for _, verdict := range []string{caught, "RESETS", "MAXRCPTS", "BLOCKED"} {
		if n := s.Verdicts[verdict]; n != 0 {
			check(fmt.Errorf("the guard has reached %s about %d honest sessions", verdict, n))
		}
	}
}
