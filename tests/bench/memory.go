package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// What a waiting client may cost, in multiples of the smallest Go program: of its own memory, and
// with the kernel's.
const (
	privateTarget = 1.15
	memoryTarget  = 1.25
)

// measureMemory measures the memory of a client that waits for the greet delay, alone and with many
// others.
func measureMemory(l *bench) {
	i := l.instance("memory", "mta "+l.program("stub"),
		"greet_delay 290s stress=290s", "max_waiting 2000", "client_conns 0")
	unusable := tryMemoryGroup(groupName(l.dir))
	counts := []int{1, 100, 1000}
	if l.quick {
		counts = counts[:2]
	}
	once := l.fewer(l.slices)
	peers := append(l.withText(i.peer("")), l.goFloor(), l.cFloor())
	for _, n := range counts {
		got := must(takeTurns(once, peers, func(p peer) ([]memory, error) {
			return reaching(p, "HANGUP", n, func() ([]memory, error) {
				return []memory{l.crowd(p, n, unusable == nil)}, nil
			})
		}))
		what := fmt.Sprintf("of a waiting client: %d at once", n)
		private := got.reduce(func(m []memory) float64 { return m[0].private })
		share := got.reduce(func(m []memory) float64 { return m[0].share })
		charged := got.reduce(func(m []memory) float64 { return m[0].charged })
		kernel := charged.row("memory with the kernel's "+what, "kB")
		kernel = kernel.atMost(charged, goFloor, memoryTarget)
		if unusable != nil {
			kernel = row{What: kernel.What, Unit: kernel.Unit, Skipped: unusable.Error()}
		}
		l.put(private.row("private memory "+what, "kB").atMost(private, goFloor, privateTarget),
			share.row("PSS "+what, "kB").against(share, goFloor), kernel)
	}
}

// memory is what a waiting process costs, in kB.
type memory struct {
	private float64 // dirty and its own: freed when it ends
	share   float64 // proportional share of all that it maps
	charged float64 // to a memory cgroup: its own and the kernel's for it; 0 if unknown
}

// crowd lets n silent clients wait at p at once and returns what the processes cost, each. Only
// inGroup, a memory cgroup of their own, can they be charged.
func (l *bench) crowd(p peer, n int, inGroup bool) (m memory) {
	var here []visitor
	var conns []int
	var group *memoryGroup
	for range n { // outside the group, which would be charged for the clients' ends, too
		here = append(here, visitor{peer: p, client: must(dial(l.client(), l.server.addr))})
		conns = append(conns, must(l.server.accept()))
	}
	startAll := func() error {
		for i, conn := range conns {
			var err error
			if here[i].child, err = start(conn, p); err != nil {
				return err
			}
		}
		return nil
	}
	if inGroup {
		// stays if the measurement fails, until that ends
		group = must(newMemoryGroup(groupName(l.dir)))
		check(group.within(startAll))
	} else {
		check(startAll())
	}
	last := -1.0
	check(await("the memory of waiting processes settles", func() (bool, error) {
		time.Sleep(100 * time.Millisecond)
		m = memory{}
		for _, v := range here {
			sums := v.child.mapped("")
			m.private += float64(sums["Private_Dirty:"]) / float64(n)
			m.share += float64(sums["Pss:"]) / float64(n)
		}
		same := m.private == last
		last = m.private
		return same, nil
	}))
	if inGroup {
		m.charged = float64(must(group.charged())) / 1024 / float64(n)
	}
	if p.instance != nil {
		if waiting := must(p.instance.waiting()); waiting != n {
			check(fmt.Errorf("%d clients wait, want %d", waiting, n))
		}
	}
	// One after the other: a thousand log lines at once might not all find room.
	for _, v := range here {
		v.client.close()
		must(v.child.wait())
	}
	if inGroup {
		check(group.remove())
	}
	return m
}

// statAge is how old the numbers of a cgroup's memory.stat may be, since the kernel adds up small
// changes only now and then: FLUSH_TIME in its memcontrol.c, and some.
const statAge = 2200 * time.Millisecond

// memoryNow returns the memory of all processes of the daemon in kB, when it does not change any
// more, without what is mapped of a file. What the cgroup is charged is 0 without one.
func (d *daemon) memoryNow(file string, group *memoryGroup) (m memory) {
	must(d.usage()) // until it has nothing left to do
	for _, pid := range d.processes() {
		sums := pid.mapped(file)
		m.private += float64(sums["Private_Dirty:"] + sums["Private_Clean:"])
	}
	if group != nil {
		time.Sleep(statAge)
		m.charged = float64(must(group.charged())) / 1024
	}
	return m
}

// mapped returns sums of /proc/PID/smaps in kB, by the words that stand there: "Private_Dirty:",
// "Pss:". Mappings of the file except are left out: the ledger has its full size from the start,
// however many pages of it have been used.
func (c child) mapped(except string) map[string]int {
	text := must(os.ReadFile(fmt.Sprintf("/proc/%d/smaps", c)))
	sums := make(map[string]int)
	excepted := false
	for line := range strings.Lines(string(text)) {
		field := strings.Fields(line)
		switch {
		case len(field) >= 5 && strings.Contains(field[0], "-"): // the head of a mapping
			excepted = except != "" && len(field) > 5 && field[5] == except
		case len(field) == 3 && !excepted:
			kB := must(strconv.Atoi(field[1]))
			sums[field[0]] += kB
		}
	}
	if sums["Private_Dirty:"] == 0 {
		check(fmt.Errorf("process %d has no memory at all", c))
	}
	return sums
}
