package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What a client may cost that waits in the room, with a thousand others at least.
const (
	roomMemoryTarget = 1 // kB of its process
	chargedTarget    = 1 // times postscreen, with the kernel's
)

// measureRoomMemory measures what a client costs that waits in the room, by how
// many do.
func measureRoomMemory(l *lab) ([]row, error) {
	counts := []int{100, 1000, 10_000}
	if l.quick {
		counts = counts[:2]
	}
	unusable := tryMemoryGroup(filepath.Base(l.dir))
	private, charged := make([]series, len(counts)), make([]series, len(counts))
	for n := range counts {
		private[n], charged[n] = make(series), make(series)
	}
	// Each in a process of its own, so that nothing needs warming up; two rounds, since they hardly vary.
	for round := range min(l.rounds, 2) {
		for _, h := range l.memoryHouses(round) {
			l.rewind()
			grown, err := l.growing(h, counts, unusable == nil)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", h.name, err)
			}
			for n := range counts {
				private[n][h.name] = append(private[n][h.name], grown[n].private)
				charged[n][h.name] = append(charged[n][h.name], grown[n].charged)
			}
		}
	}
	var rows []row
	for n, count := range counts {
		what := fmt.Sprintf("of a client waiting in the room: %d at once", count)
		p := private[n].row("private memory "+what, "kB")
		c := charged[n].row("memory with the kernel's "+what, "kB")
		if count >= 1000 {
			p = p.within(roomMemoryTarget)
		}
		_, beside := charged[n][postscreen]
		switch {
		case unusable != nil:
			c = row{What: c.What, Unit: c.Unit, Skipped: unusable.Error()}
		case beside && count >= 1000:
			c = c.atMost(charged[n], postscreen, chargedTarget)
		case beside:
			c = c.against(charged[n], postscreen)
		}
		rows = append(rows, p, c)
	}
	if why := l.lackOfPostfix(); why != "" {
		rows = append(rows, row{What: "the same with postscreen", Skipped: why})
	}
	return rows, nil
}

// house is a daemon in which clients wait, before it is started.
type house struct {
	name  string
	start func(*lab) (*daemon, error)
	// waiting reports how many clients wait in it, of those since it started.
	waiting func() (int, error)
	file    string // mapped by it, and no part of its private memory
	left    string // logged about a client that leaves
}

// memoryHouses returns the room and postscreen, made for 10,000 clients who wait
// for longer than measuring takes.
func (l *lab) memoryHouses(round int) []house {
	name := fmt.Sprintf("room-memory-%d", round)
	var i *instance
	houses := []house{{
		name: ours, left: "HANGUP", file: filepath.Join(l.dir, name, "ledger"),
		start: func(l *lab) (d *daemon, err error) {
			i, err = l.instance(name, "mta "+l.program("stub"), "greet_delay 290s stress=290s", "max_waiting 20000")
			if err != nil {
				return nil, err
			}
			return l.room(i)
		},
		waiting: func() (int, error) {
			s, err := i.status()
			return s.Sessions.Waiting, err
		},
	}}
	if l.lackOfPostfix() == "" {
		const came, left = "postscreen CONNECT", "postscreen HANGUP"
		before := l.log.seen(came) - l.log.seen(left)
		houses = append(houses, house{
			name: postscreen, left: left,
			start: func(l *lab) (*daemon, error) {
				return l.postscreen(fmt.Sprintf("postfix-memory-%d", round), "CONNECT", "postscreen_greet_wait = 290s")
			},
			waiting: func() (int, error) { return l.log.seen(came) - l.log.seen(left) - before, nil },
		})
	}
	return houses
}

// growing starts the house, lets as many clients wait in it as counts says, and
// returns what each of them costs then. A few that left before do not count:
// what a program needs for the first client it needs for nobody else.
func (l *lab) growing(h house, counts []int, inGroup bool) (grown []memory, err error) {
	in := *l
	if inGroup {
		if in.group, err = newMemoryGroup(filepath.Base(l.dir)); err != nil {
			return nil, err
		}
		defer in.group.remove()
	}
	d, err := h.start(&in)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	var here []*client
	fill := func(n int) (err error) {
		here, err = l.fill(h, d, here, n)
		return err
	}
	empty := func() error {
		defer func() { here = nil }()
		return l.empty(h, here)
	}
	if err := errors.Join(fill(10), empty()); err != nil {
		return nil, err
	}
	before, err := d.memoryNow(h.file, in.group)
	for _, n := range counts {
		if err == nil {
			err = fill(n)
		}
		var m memory
		if err == nil {
			m, err = d.memoryNow(h.file, in.group)
		}
		grown = append(grown, memory{
			private: (m.private - before.private) / float64(n),
			charged: (m.charged - before.charged) / float64(n),
		})
	}
	return grown, errors.Join(err, empty(), d.stop())
}

// fill adds silent clients to those who are here until n wait in the house.
func (l *lab) fill(h house, d *daemon, here []*client, n int) ([]*client, error) {
	for len(here) < n {
		c, err := dial(l.client(), d.addr)
		if err != nil {
			return here, err
		}
		here = append(here, c)
	}
	return here, h.expect(n)
}

// empty lets the clients leave, not so many at once that log lines find no room.
func (l *lab) empty(h house, here []*client) error {
	if l.log == nil {
		for _, c := range here {
			c.close()
		}
		return h.expect(0)
	}
	const together = 100
	for len(here) > 0 {
		n := min(together, len(here))
		err := l.log.grows(h.left, n, func() error {
			for _, c := range here[:n] {
				c.close()
			}
			return nil
		})
		if err != nil {
			return err
		}
		here = here[n:]
	}
	return h.expect(0)
}

// expect reports an error unless n clients come to wait in the house.
func (h house) expect(n int) error {
	var got int
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var err error
		if got, err = h.waiting(); got == n || err != nil {
			return err
		}
	}
	return fmt.Errorf("%d clients wait, want %d", got, n)
}

// statAge is how old the numbers of a cgroup's memory.stat may be that the
// kernel did not find worth adding up: FLUSH_TIME in its memcontrol.c, and some.
const statAge = 2200 * time.Millisecond

// memoryNow returns the memory of all processes of the daemon in kB, when
// it does not change any more, without what is mapped of a file. What the cgroup is charged
// is 0 without one.
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
		kB, err := pid.private(file)
		if err != nil {
			return m, err
		}
		m.private += float64(kB)
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

// private returns the memory in kB that no other process maps, without what is
// mapped of a file: the ledger has its full size from the start, however many pages of it have been seen.
func (c child) private(except string) (kB int, err error) {
	file := fmt.Sprintf("/proc/%d/smaps", c)
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	excepted := false
	for line := range bytes.Lines(text) {
		field := strings.Fields(string(line))
		switch {
		case len(field) >= 5 && strings.Contains(field[0], "-"): // the head of a mapping
			excepted = except != "" && len(field) > 5 && field[5] == except
		case len(field) == 3 && !excepted && (field[0] == "Private_Dirty:" || field[0] == "Private_Clean:"):
			n, err := strconv.Atoi(field[1])
			if err != nil {
				return 0, fmt.Errorf("%s: %w", file, err)
			}
			kB += n
		}
	}
	if kB == 0 {
		return 0, fmt.Errorf("%s: no private memory at all", file)
	}
	return kB, nil
}
