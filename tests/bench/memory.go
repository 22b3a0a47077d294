package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// memoryTarget is what a waiting client may cost: so many times the smallest Go program.
const memoryTarget = 1.25

// measureMemory measures what a client costs that waits out the greet delay, when it is alone and
// when many others do.
func measureMemory(l *bench) error {
	i, err := l.instance("memory", "mta "+l.program("stub"),
		"greet_delay 290s stress=290s", "max_waiting 2000", "client_conns 0")
	if err != nil {
		return err
	}
	unusable := tryMemoryGroup(groupName(l.dir))
	counts := []int{1, 100, 1000}
	if l.quick {
		counts = counts[:2]
	}
	once := l.fewer(l.slices)
	us := i.peer("")
	peers := []peer{us, us.oneCPU(), l.goFloor(), l.cFloor()}
	for _, n := range counts {
		got, err := takeTurns(once, peers, func(p peer) ([]memory, error) {
			return reaching(p, "HANGUP", n, func() ([]memory, error) { return l.crowd(p, n, unusable == nil) })
		})
		if err != nil {
			return err
		}
		what := fmt.Sprintf("of a waiting client: %d at once", n)
		private := got.reduce(func(m []memory) float64 { return m[0].private })
		share := got.reduce(func(m []memory) float64 { return m[0].share })
		charged := got.reduce(func(m []memory) float64 { return m[0].charged })
		kernel := charged.row("memory with the kernel's "+what, "kB").atMost(charged, goFloor, memoryTarget)
		if unusable != nil {
			kernel = row{What: kernel.What, Unit: kernel.Unit, Skipped: unusable.Error()}
		}
		l.put(private.row("private memory "+what, "kB").atMost(private, goFloor, memoryTarget),
			share.row("PSS "+what, "kB").against(share, goFloor), kernel)
	}
	return nil
}

// memory is what a waiting process costs, in kB.
type memory struct {
	private float64 // dirty and its own: freed when it ends
	share   float64 // proportional share of all that it maps
	charged float64 // to a memory cgroup: its own and the kernel's for it; 0 if unknown
}

// crowd lets n silent clients wait at p at once and returns what the processes cost, each, as the
// only sample. Only inGroup, a memory cgroup of their own, can they be charged.
func (l *bench) crowd(p peer, n int, inGroup bool) ([]memory, error) {
	clients, conns, err := l.connectAll(n)
	if err != nil {
		return nil, err
	}
	var children []child
	startAll := func() error {
		for _, conn := range conns {
			c, err := start(conn, p)
			if err != nil {
				return fmt.Errorf("after %d others: %w", len(children), err)
			}
			children = append(children, c)
		}
		return nil
	}
	var group *memoryGroup
	if !inGroup {
		err = startAll()
	} else if group, err = newMemoryGroup(groupName(l.dir)); err == nil {
		defer group.remove()
		err = group.within(startAll)
	}
	if err != nil {
		return nil, err
	}
	private, share, err := settled(children)
	if err != nil {
		return nil, err
	}
	m := memory{private: float64(private) / float64(n), share: float64(share) / float64(n)}
	if inGroup {
		bytes, err := group.charged()
		if err != nil {
			return nil, err
		}
		m.charged = float64(bytes) / 1024 / float64(n)
	}
	if p.is != nil {
		if waiting, err := p.is.waiting(); err != nil {
			return nil, err
		} else if waiting != n {
			return nil, fmt.Errorf("%d clients wait, want %d", waiting, n)
		}
	}
	// One after the other: a thousand log lines at once might not all find room.
	for i, c := range clients {
		c.close()
		if _, err := children[i].wait(); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return []memory{m}, nil
}

// connectAll returns n clients and the super-server's ends of their connections.
func (l *bench) connectAll(n int) (clients []*client, conns []int, err error) {
	for range n {
		c, err := dial(l.client(), l.server.addr)
		if err != nil {
			return nil, nil, err
		}
		conn, err := l.server.accept()
		if err != nil {
			return nil, nil, err
		}
		clients, conns = append(clients, c), append(conns, conn)
	}
	return clients, conns, nil
}

// settled waits until the memory of the processes no longer changes and returns the sums of their
// private dirty memory and of their proportional shares, in kB.
func settled(children []child) (private, share int, err error) {
	last := -1
	err = await("the memory of waiting processes settles", func() (bool, error) {
		time.Sleep(100 * time.Millisecond)
		private, share = 0, 0
		for _, c := range children {
			sums, err := c.mapped("")
			if err != nil {
				return false, err
			}
			private, share = private+sums["Private_Dirty:"], share+sums["Pss:"]
		}
		same := private == last
		last = private
		return same, nil
	})
	return private, share, err
}

// statAge is how old the numbers of a cgroup's memory.stat may be that the kernel did not find
// worth adding up: FLUSH_TIME in its memcontrol.c, and some.
const statAge = 2200 * time.Millisecond

// memoryNow returns the memory of all processes of the daemon in kB, when it does not change any
// more, without what is mapped of a file. What the cgroup is charged is 0 without one.
func (d *daemon) memoryNow(file string, group *memoryGroup) (memory, error) {
	if _, err := d.usage(); err != nil { // until it has nothing left to do
		return memory{}, err
	}
	if group != nil {
		time.Sleep(statAge)
	}
	var m memory
	all, err := d.processes()
	if err != nil {
		return m, err
	}
	for _, pid := range all {
		sums, err := pid.mapped(file)
		if err != nil {
			return m, err
		}
		m.private += float64(sums["Private_Dirty:"] + sums["Private_Clean:"])
	}
	if group != nil {
		charged, err := group.charged()
		if err != nil {
			return m, err
		}
		m.charged = float64(charged) / 1024
	}
	return m, nil
}

// mapped returns sums of /proc/PID/smaps in kB, by the words that stand there: "Private_Dirty:",
// "Pss:". What is mapped of the file except is left out: the ledger has its full size from the
// start, however many pages of it have been seen.
func (c child) mapped(except string) (map[string]int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", c))
	if err != nil {
		return nil, err
	}
	sums := make(map[string]int)
	excepted := false
	for line := range strings.Lines(string(text)) {
		field := strings.Fields(line)
		switch {
		case len(field) >= 5 && strings.Contains(field[0], "-"): // the head of a mapping
			excepted = except != "" && len(field) > 5 && field[5] == except
		case len(field) == 3 && !excepted:
			kB, err := strconv.Atoi(field[1])
			if err != nil {
				return nil, err
			}
			sums[field[0]] += kB
		}
	}
	if sums["Private_Dirty:"] == 0 {
		return nil, fmt.Errorf("process %d has no memory at all", c)
	}
	return sums, nil
}
