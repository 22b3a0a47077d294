package main

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
)

// guardMemoryTarget is what a session may cost in the guard, in kB.
const guardMemoryTarget = 8

// measureGuardMemory measures what a session costs in the guard whose client has sent a message and stays. The sessions
// are those of an MTA with a thousand processes, as far as the guard can see.
func measureGuardMemory(l *lab) ([]row, error) {
	counts := []int{100, 1000}
	if l.quick {
		counts = counts[:1]
	}
	unusable := tryMemoryGroup(filepath.Base(l.dir))
	private, charged := make([]series, len(counts)), make([]series, len(counts))
	for n := range counts {
		private[n], charged[n] = make(series), make(series)
	}
	// Each in a process of its own, so that nothing needs warming up; two rounds, since they hardly vary.
	for round := range min(l.rounds, 2) {
		l.rewind()
		grown, err := l.guardGrowing(fmt.Sprintf("guard-memory-%d", round), counts, unusable == nil)
		if err != nil {
			return nil, err
		}
		for n := range counts {
			private[n][ours] = append(private[n][ours], grown[n].private)
			charged[n][ours] = append(charged[n][ours], grown[n].charged)
		}
	}
	var rows []row
	for n, count := range counts {
		what := fmt.Sprintf("of a session in the guard: %d at once", count)
		c := charged[n].row("memory with the kernel's "+what, "kB")
		if unusable != nil {
			c = row{What: c.What, Unit: c.Unit, Skipped: unusable.Error()}
		}
		rows = append(rows, private[n].row("private memory "+what, "kB").within(guardMemoryTarget), c)
	}
	return rows, nil
}

// guardGrowing starts a guard, lets as many sessions into it as counts says, and returns what each of them costs then. A few
// that have ended before do not count: what a program needs for the first it needs for no other.
func (l *lab) guardGrowing(name string, counts []int, inGroup bool) (grown []memory, err error) {
	in := *l
	if inGroup {
		if in.group, err = newMemoryGroup(filepath.Base(l.dir)); err != nil {
			return nil, err
		}
		defer in.group.remove()
	}
	g, err := in.guarded(name, "")
	if err != nil {
		return nil, err
	}
	defer g.guard.stop()
	ledger := filepath.Join(l.dir, name, "ledger") // mapped, and nobody's private memory
	here, err := l.sessions(g.socket, nil, 10)
	leave(here)
	if err != nil {
		return nil, err
	}
	before, err := g.guard.memoryNow(ledger, in.group)
	if err != nil {
		return nil, err
	}
	here = nil
	defer func() { leave(here) }()
	for _, n := range counts {
		if here, err = l.sessions(g.socket, here, n); err != nil {
			return nil, fmt.Errorf("after %d sessions: %w", len(here), err)
		}
		m, err := g.guard.memoryNow(ledger, in.group)
		if err != nil {
			return nil, err
		}
		grown = append(grown, memory{
			private: (m.private - before.private) / float64(n),
			charged: (m.charged - before.charged) / float64(n),
		})
	}
	leave(here)
	here = nil
	return grown, errors.Join(g.nobodyCaught(), g.guard.stop())
}

// sessions adds sessions to those that are here until there are n of them, which have all had a message.
func (l *lab) sessions(socket string, here []*milterClient, n int) ([]*milterClient, error) {
	for len(here) < n {
		from := netip.AddrPortFrom(l.client(), 40000)
		m, err := dialMilter(socket, from)
		if err != nil {
			return here, err
		}
		here = append(here, m)
		if err := m.deliver(from); err != nil {
			return here, err
		}
	}
	return here, nil
}

func leave(here []*milterClient) {
	for _, m := range here {
		m.close()
	}
}

// nobodyCaught reports an error if the guard has reached a verdict about anybody.
func (g guarded) nobodyCaught() error {
	s, err := g.status()
	if err != nil {
		return err
	}
	for _, verdict := range []string{caught, "RESETS", "MAXRCPTS", "BLOCKED"} {
		if n := s.Verdicts[verdict]; n != 0 {
			return fmt.Errorf("the guard has reached %s about %d honest sessions", verdict, n)
		}
	}
	return nil
}
