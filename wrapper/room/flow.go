package room

import "net/netip"

// class is what goes before fairness: a known client does not wait behind a stranger, and one that
// is trusted, for which the last places are, not behind those that are known for one wait.
type class uint8

const (
	trusted class = iota
	known
	stranger
	classes
)

// flow is a network that has clients in turns, or MTAs: one as clients are counted, the wider
// network that holds it, or the root, which holds all. Of two flows that one is first which has
// fewer MTAs, and of those with as many the one that had its last turn, or began to wait, before.
type flow struct {
	network netip.Prefix
	up      *flow  // nil: the root
	held    int32  // flows that it holds
	mtas    int32  // under way, and started of late
	turn    uint64 // as turns number them
	lines   [classes]line
}

// line is who waits in a flow, of a class: clients, or the flows that it holds.
type line struct {
	first, last *client // in the order in which they came
	flows       []*flow // a heap: the one that is first is at 0
	at          int32   // where the flow itself is in the line of the one above, from 1; 0: nowhere
	aside       bool    // there was no place for its next client
}

// stands says whether the flow waits in a line.
func (f *flow) stands() bool {
	for of := range classes {
		if f.lines[of].at > 0 {
			return true
		}
	}
	return false
}

// holds says whether it has clients that wait.
func (f *flow) holds() bool {
	for of := range classes {
		if f.lines[of].first != nil {
			return true
		}
	}
	return false
}

func (f *flow) before(g *flow) bool {
	if f.mtas != g.mtas {
		return f.mtas < g.mtas
	}
	return f.turn < g.turn
}

// add puts a flow into the line.
func (l *line) add(f *flow, of class) {
	l.flows = append(l.flows, f)
	l.put(f, len(l.flows)-1, of)
	l.settle(f, of)
}

// drop takes a flow out of the line.
func (l *line) drop(f *flow, of class) {
	i, end := int(f.lines[of].at)-1, len(l.flows)-1
	last := l.flows[end]
	l.flows[end] = nil
	l.flows = l.flows[:end]
	f.lines[of].at = 0
	if last != f {
		l.put(last, i, of)
		l.settle(last, of)
	}
}

func (l *line) put(f *flow, i int, of class) {
	l.flows[i] = f
	f.lines[of].at = int32(i) + 1
}

// settle moves a flow to where it belongs by now.
func (l *line) settle(f *flow, of class) {
	i := int(f.lines[of].at) - 1
	for i > 0 && f.before(l.flows[(i-1)/2]) {
		l.put(l.flows[(i-1)/2], i, of)
		i = (i - 1) / 2
	}
	for {
		least := 2*i + 1
		if least+1 < len(l.flows) && l.flows[least+1].before(l.flows[least]) {
			least++
		}
		if least >= len(l.flows) || !l.flows[least].before(f) {
			break
		}
		l.put(l.flows[least], i, of)
		i = least
	}
	l.put(f, i, of)
}

// settle moves the flow in the lines in which it stands.
func (f *flow) settle() {
	for of := range classes {
		if f.lines[of].at > 0 {
			f.up.lines[of].settle(f, of)
		}
	}
}

// charge counts n more MTAs in the flow, and in those above.
func (f *flow) charge(n int32) {
	for ; f.up != nil; f = f.up {
		f.mtas += n
		f.settle()
	}
}

// push lets a client wait behind those of the same network and class.
func (l *line) push(c *client) {
	c.before, c.after = l.last, nil
	if l.last == nil {
		l.first = c
	} else {
		l.last.after = c
	}
	l.last = c
}

// remove takes a client out of the line.
func (l *line) remove(c *client) {
	if c.before == nil {
		l.first = c.after
	} else {
		c.before.after = c.after
	}
	if c.after == nil {
		l.last = c.before
	} else {
		c.after.before = c.before
	}
	c.before, c.after = nil, nil
}
