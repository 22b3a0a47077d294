package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// memoryTarget is what a waiting client may cost: so many times the smallest Go program.
const memoryTarget = 1.25

// measureMemory measures what a client costs that waits out the greet delay,
// when it is alone and when many others do.
func measureMemory(l *lab) ([]row, error) {
	i, err := l.instance("memory", "mta "+l.program("stub"),
		"greet_delay 290s stress=290s", "max_waiting 2000", "client_conns 0")
	if err != nil {
		return nil, err
	}
	unusable := tryMemoryGroup(filepath.Base(l.dir))
	inGroup := unusable == nil
	counts := []int{1, 100, 1000}
	if l.quick {
		counts = counts[:2]
	}
	rounds := min(l.rounds, 3) // these hardly vary
	var rows []row
	for _, n := range counts {
		us := i.peer("")
		peers := []peer{us, us.oneCPU(), l.goFloor(), l.cFloor()}
		got, err := takeTurns(rounds, 1, peers, func(p peer) (m []memory, err error) {
			err = p.reaching("HANGUP", n, func() (err error) {
				m, err = l.crowd(p, n, inGroup)
				return err
			})
			return m, err
		})
		if err != nil {
			return nil, err
		}
		what := fmt.Sprintf("of a waiting client: %d at once", n)
		private := got.reduce(func(m []memory) float64 { return m[0].private })
		share := got.reduce(func(m []memory) float64 { return m[0].share })
		charged := got.reduce(func(m []memory) float64 { return m[0].charged })
		rows = append(rows,
			private.row("private memory "+what, "kB").atMost(private, goFloor, memoryTarget),
			share.row("PSS "+what, "kB").against(share, goFloor))
		if inGroup {
			rows = append(rows, charged.row("memory with the kernel's "+what, "kB").atMost(charged, goFloor, memoryTarget))
		} else {
			rows = append(rows, row{What: "memory with the kernel's " + what, Unit: "kB", Skipped: unusable.Error()})
		}
	}
	return rows, nil
}

// memory is what a waiting process costs, in kB.
type memory struct {
	private float64 // dirty and its own: freed when it ends
	share   float64 // proportional share of all that it maps
	charged float64 // to a memory cgroup: its own and the kernel's for it; 0 if unknown
}

// waiting reports an error unless the ledger knows of n waiting clients.
func (i *instance) waiting(n int) error {
	s, err := i.status()
	if err == nil && (s.Sessions.Waiting != n || s.Sessions.Serving != 0) {
		err = fmt.Errorf("%d waiting, %d serving; want %d and 0", s.Sessions.Waiting, s.Sessions.Serving, n)
	}
	return err
}

// crowd lets n silent clients wait at p at once and returns what the processes
// cost, each, as the only sample. Only inGroup, a memory cgroup of their own, can
// they be charged.
func (l *lab) crowd(p peer, n int, inGroup bool) ([]memory, error) {
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
	} else if group, err = newMemoryGroup(filepath.Base(l.dir)); err == nil {
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
		if err := p.is.waiting(n); err != nil {
			return nil, err
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
func (l *lab) connectAll(n int) (clients []*client, conns []int, err error) {
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

// settled waits until the memory of the processes no longer changes and returns
// the sums of their private dirty memory and of their proportional shares, in kB.
func settled(children []child) (private, share int, err error) {
	last := -1
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		private, share = 0, 0
		for _, c := range children {
			p, s, err := c.memory()
			if err != nil {
				return 0, 0, err
			}
			private, share = private+p, share+s
		}
		if private == last {
			return private, share, nil
		}
		last = private
	}
	return 0, 0, fmt.Errorf("the memory of %d waiting processes still changes after 30 s", len(children))
}

// memory returns the private dirty memory and the proportional share of a process, in kB.
func (c child) memory() (private, share int, err error) {
	file := fmt.Sprintf("/proc/%d/smaps_rollup", c)
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(text) {
		field := bytes.Fields(line)
		if len(field) != 3 {
			continue
		}
		switch string(field[0]) {
		case "Private_Dirty:":
			private, err = strconv.Atoi(string(field[1]))
		case "Pss:":
			share, err = strconv.Atoi(string(field[1]))
		}
		if err != nil {
			return 0, 0, err
		}
	}
	if private == 0 || share == 0 {
		return 0, 0, fmt.Errorf("%s: no memory at all", file)
	}
	return private, share, nil
}
