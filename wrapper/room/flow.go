package room

import "net/netip"

// class goes before fairness: a known client does not wait behind a stranger, and a trusted client,
// for which the last places are kept, does not wait behind one that is known for a single wait.
type class uint8

const (
	trusted class = iota
	known
	stranger
	classes
)

// flow is a network that has clients in turns, or MTAs: a network as clients are counted, the wide
// network around it, or the root, which holds all. The flow with fewer MTAs goes first; of two with
// equally many, the one whose last turn, or whose entry into the line, was earlier.
type flow struct {
	network  netip.Prefix
	up       *flow  // the flow around it; nil: the root
	held     int32  // flows in it
	mtas     int32  // under way, and recent starts
	lastTurn uint64 // its number among all turns
	lines    [classes]line
}

// line is what waits in a flow, of one class: clients, or flows.
type line struct {
	first, last *client // in the order in which they came
	flows       []*flow // a heap: the first is at 0
	at          int32   // its place in the line of the flow around it, from 1; 0: none
	aside       bool    // there was no place for its next client
}

// inLine reports whether the flow waits in a line.
func (f *flow) inLine() bool {
	for of := range classes {
		if f.lines[of].at > 0 {
			return true
		}
	}
	return false
}

// hasClients reports whether clients wait in the flow itself.
func (f *flow) hasClients() bool {
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
	return f.lastTurn < g.lastTurn
}

// add puts a flow into the line.
func (l *line) add(f *flow, of class) {
	l.flows = append(l.flows, f)
	l.put(f, len(l.flows)-1, of)
	l.fix(f, of)
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
		l.fix(last, of)
	}
}

func (l *line) put(f *flow, i int, of class) {
	l.flows[i] = f
	f.lines[of].at = int32(i) + 1
}

// fix moves a flow to its place in the heap after it has changed.
func (l *line) fix(f *flow, of class) {
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

// fix moves the flow to its place in the lines in which it waits.
func (f *flow) fix() {
	for of := range classes {
		if f.lines[of].at > 0 {
			f.up.lines[of].fix(f, of)
		}
	}
}

// addMTAs counts n more MTAs in the flow and in those around it.
func (f *flow) addMTAs(n int32) {
	for ; f.up != nil; f = f.up {
		f.mtas += n
		f.fix()
	}
}

// push lets a client wait behind the others in the line.
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
