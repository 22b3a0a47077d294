package room

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// place is the place of a client in the model.
type place struct {
	of            class
	network, wide netip.Prefix
}

// aside is what the model sets aside.
type aside struct {
	network netip.Prefix
	of      class
}

// model does what turns must do by the rules alone: it looks at every client each time.
type model struct {
	waiting  []*client
	at       map[*client]place
	running  map[*client]place
	served   []servedAt
	aside    map[aside]bool
	asides   []asideAt // in their order
	turn     map[netip.Prefix]int
	inLine   map[netip.Prefix]bool
	turns    int
	refusals [classes]int
	from     time.Duration
}

type servedAt struct {
	place
	at time.Duration
}

type asideAt struct {
	aside
	at time.Duration
}

func newModel() *model {
	return &model{at: map[*client]place{}, running: map[*client]place{}, aside: map[aside]bool{},
		turn: map[netip.Prefix]int{}, inLine: map[netip.Prefix]bool{}}
}

// mtas counts MTAs by network and wide network, which differ in length.
func (m *model) mtas() map[netip.Prefix]int {
	n := map[netip.Prefix]int{}
	for _, p := range m.running {
		n[p.network]++
		n[p.wide]++
	}
	for _, s := range m.served {
		n[s.network]++
		n[s.wide]++
	}
	return n
}

// candidates are the waiting clients whose networks are not set aside.
func (m *model) candidates() (all []*client) {
	for _, c := range m.waiting {
		if p := m.at[c]; !m.aside[aside{p.network, p.of}] {
			all = append(all, c)
		}
	}
	return all
}

// settle gives a number to each network that has come into the line.
func (m *model) settle() {
	inLine := map[netip.Prefix]bool{}
	for _, c := range m.candidates() {
		inLine[m.at[c].network], inLine[m.at[c].wide] = true, true
	}
	for network := range inLine {
		if !m.inLine[network] {
			m.turns++
			m.turn[network] = m.turns
		}
	}
	m.inLine = inLine
	mtas := m.mtas()
	for a := range m.aside { // a network without clients and MTAs is forgotten
		waits := func(c *client) bool { return m.at[c].network == a.network }
		if !slices.ContainsFunc(m.waiting, waits) && mtas[a.network] == 0 {
			delete(m.aside, a)
			m.asides = slices.DeleteFunc(m.asides, func(b asideAt) bool { return b.aside == a })
		}
	}
}

func (m *model) next() (next *client) {
	mtas := m.mtas()
	for _, c := range m.candidates() {
		if p := m.at[c]; m.refusals[p.of] < maxRefusals &&
			(next == nil || m.before(p, m.at[next], mtas)) {
			next = c
		}
	}
	return next
}

func (m *model) before(p, q place, mtas map[netip.Prefix]int) bool {
	return cmp.Or(cmp.Compare(p.of, q.of),
		cmp.Compare(mtas[p.wide], mtas[q.wide]), cmp.Compare(m.turn[p.wide], m.turn[q.wide]),
		cmp.Compare(mtas[p.network], mtas[q.network]),
		cmp.Compare(m.turn[p.network], m.turn[q.network])) < 0
}

func (m *model) push(c *client, p place) {
	m.waiting = append(m.waiting, c)
	m.at[c] = p
	m.settle()
}

func (m *model) remove(c *client) {
	m.waiting = slices.DeleteFunc(m.waiting, func(d *client) bool { return c == d })
	delete(m.at, c)
	m.settle()
}

func (m *model) start(c *client, now time.Duration) {
	p := m.at[c]
	m.running[c] = p
	m.served = append(m.served, servedAt{p, now})
	for _, network := range []netip.Prefix{p.network, p.wide} {
		m.turns++
		m.turn[network] = m.turns
	}
	m.remove(c)
}

func (m *model) end(c *client) {
	network := m.running[c].network
	delete(m.running, c)
	for of := range classes {
		delete(m.aside, aside{network, of})
	}
	m.settle()
}

func (m *model) refuse(c *client, now time.Duration) {
	a := aside{m.at[c].network, m.at[c].of}
	m.refusals[a.of]++
	m.aside[a] = true
	m.asides = append(m.asides, asideAt{a, now})
	m.settle()
}

func (m *model) beginRound(now time.Duration) {
	m.served = slices.DeleteFunc(m.served, func(s servedAt) bool { return now-s.at >= servedTime })
	m.settle()
	if now-m.from >= retryTurn {
		m.refusals, m.from = [classes]int{}, now
	}
	rest := asideTime
	if len(m.candidates()) == 0 {
		rest = retryTurn
	}
	for len(m.asides) > 0 && now-m.asides[0].at >= rest {
		delete(m.aside, m.asides[0].aside)
		m.asides = m.asides[1:]
		m.settle()
	}
}

// Whatever happens, in any order, turns and the model choose the same client.
func TestTurns(t *testing.T) {
	const steps, most = 1500, 40
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 11))
		var q turns
		m := newModel()
		now := time.Hour
		var running []*client
		networks := 1 + random.IntN(12)
		for step := range steps {
			crowded := random.IntN(3) > 0
			switch c := q.next(); random.IntN(7) {
			case 0, 1:
				for range 1 + random.IntN(8) {
					if crowded && q.len < most {
						n := random.IntN(networks)
						p := place{class(random.IntN(int(classes))), net6(n%4, n), wide6(n % 4)}
						c := new(client)
						q.push(c, p.of, p.network, p.wide)
						m.push(c, p)
					}
				}
			case 2:
				if c != nil {
					q.start(c, now)
					m.start(c, now)
					running = append(running, c)
				}
			case 3:
				if c != nil {
					q.refuse(c, now)
					m.refuse(c, now)
				}
			case 4:
				if len(m.waiting) > 0 {
					c := m.waiting[random.IntN(len(m.waiting))]
					c.leave()
					m.remove(c)
				}
			case 5:
				if len(running) > 0 {
					i := random.IntN(len(running))
					q.end(running[i])
					m.end(running[i])
					running = slices.Delete(running, i, i+1)
				}
			case 6:
				longest := []time.Duration{retryTurn, time.Second}[random.IntN(2)]
				now += time.Duration(random.Int64N(int64(longest)))
				q.beginRound(now)
				m.beginRound(now)
			}
			if got, want := q.next(), m.next(); got != want {
				t.Fatalf("seed %d, step %d: it is the turn of %+v; want %+v", seed, step, got,
					m.at[want])
			}
			if q.len != len(m.waiting) || q.allAside() != (len(m.candidates()) == 0) ||
				(q.next() == nil) != (q.len == 0 || q.askAt() > 0) {
				t.Fatalf("seed %d, step %d: %d wait, want %d; idle: %v; asked again at %v of %v",
					seed, step,
					q.len, len(m.waiting), q.allAside(), q.askAt(), now)
			}
		}
		for q.first != nil {
			q.first.leave()
		}
		for _, c := range running {
			q.end(c)
		}
		q.beginRound(now + servedTime)
		if n := len(q.networks) + len(q.wide); n > 0 || q.counted > 0 || !q.allAside() {
			t.Errorf("seed %d: %d networks are left without clients", seed, n)
		}
	}
}

// wide6 and net6 are networks, the second in the first.
func wide6(wide int) netip.Prefix {
	return netip.PrefixFrom(net6(wide, 0).Addr(), 48)
}

func net6(wide, net int) netip.Prefix {
	a := [16]byte{0x20, 1, 0xd, 0xb8, 0, byte(wide), byte(net >> 8), byte(net)}
	return netip.PrefixFrom(netip.AddrFrom16(a), 64)
}
