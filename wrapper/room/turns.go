package room

import (
	"net/netip"
	"time"
)

const (
	// Starts count for so long, and so many of them at most: the MTAs of those who leave at once
	// would else never count. Who waits has come within this time, too.
	servedTime = turnTime
	servedMost = 1024

	// A network for which there is no place is set aside for so long, as it will hardly be told
	// anything else: less if one of its MTAs ends, or nobody else waits.
	asideTime = time.Second

	// mostTold is how many networks of a class are set aside within retryTurn. Each costs a look
	// into the ledger, and there may be no place for any of the thousands that wait. Known clients
	// without a place, however many there are, do not keep strangers from being asked for.
	mostTold = 16
)

// turns are those that have passed, or are known, and wait for an MTA: fair queueing, in the form
// of least in service first, in two levels. Known clients go before strangers. Of either it is the
// turn of the wider network that has fewest MTAs; in that, of the network that has fewest; in that,
// of the client that came first. Networks with as many take turns (round robin). MTAs under way
// count, and starts of late: else those would be first all the time who come and go at once.
//
// So a newcomer waits for one start of each network that waits already, at most, however many
// clients these have: each start puts them behind it. Among neighbours so it is within their turns.
//
// The zero turns are empty.
type turns struct {
	queue    // all of them, in the order in which they came: so they are overdue
	root     flow
	networks map[netip.Prefix]*flow
	wider    map[netip.Prefix]*flow
	numbered uint64            // turns so far
	served   [servedMost]start // a ring: so many, from the oldest on
	oldest   int
	counted  int
	aside    []told
	told     [classes]int  // no
	toldFrom time.Duration // since then
}

// start is one that still counts.
type start struct {
	flow *flow
	at   time.Duration
}

// told is a network that was set aside.
type told struct {
	flow *flow
	of   class
	at   time.Duration
}

// push lets a client wait, and says what it counts under.
func (t *turns) push(c *client, of class, network, wider netip.Prefix) {
	t.queue.turns = t
	t.queue.push(c)
	c.class, c.flow = of, t.flow(network, wider)
	l := &c.flow.lines[of]
	l.push(c)
	if l.at == 0 && !l.aside {
		t.line(c.flow, of)
	}
}

// remove is for a client that leaves the queue.
func (t *turns) remove(c *client) {
	f, of := c.flow, c.class
	l := &f.lines[of]
	l.remove(c)
	c.flow = nil
	if l.first == nil && l.at > 0 {
		t.leaveLine(f, of)
	}
	t.forget(f)
}

// next is the client whose turn it is; nil if there is none before askAt.
func (t *turns) next() *client {
	for of := range classes {
		if f := &t.root; t.told[of] < mostTold && len(f.lines[of].flows) > 0 {
			for len(f.lines[of].flows) > 0 {
				f = f.lines[of].flows[0]
			}
			return f.lines[of].first
		}
	}
	return nil
}

// begin is the beginning of a round: starts that are long past count no longer, and those set aside
// may be asked for again.
func (t *turns) begin(now time.Duration) {
	for t.counted > 0 && now >= t.served[t.oldest].at+servedTime {
		t.uncount()
	}
	if now >= t.toldFrom+retryTurn {
		t.told, t.toldFrom = [classes]int{}, now
	}
	rest := asideTime
	if t.idle() {
		rest = retryTurn
	}
	for len(t.aside) > 0 && now >= t.aside[0].at+rest {
		a := t.aside[0]
		t.aside = t.aside[1:]
		t.back(a.flow, a.of)
	}
}

// refuse sets the client's network aside: there is no place for it now.
func (t *turns) refuse(c *client, now time.Duration) {
	t.told[c.class]++
	c.flow.lines[c.class].aside = true
	t.leaveLine(c.flow, c.class)
	t.aside = append(t.aside, told{c.flow, c.class, now})
}

// back ends that.
func (t *turns) back(f *flow, of class) {
	l := &f.lines[of]
	if l.aside = false; l.first != nil && l.at == 0 {
		t.line(f, of)
	}
}

// idle says whether all networks that wait are set aside.
func (t *turns) idle() bool {
	for of := range classes {
		if len(t.root.lines[of].flows) > 0 {
			return false
		}
	}
	return true
}

// askAt is when next has somebody again, while anybody waits; 0: it has.
func (t *turns) askAt() time.Duration {
	switch {
	case t.next() != nil:
		return 0
	case t.idle() && len(t.aside) > 0:
		return t.aside[0].at + retryTurn
	}
	return t.toldFrom + retryTurn
}

// start gives a client that waits its MTA, which counts until it has ended.
func (t *turns) start(c *client, now time.Duration) {
	f := c.flow
	for up := f; up.up != nil; up = up.up {
		t.numbered++
		up.turn = t.numbered
	}
	f.charge(2) // it is under way, and one of late
	if t.counted == servedMost {
		t.uncount()
	}
	t.served[(t.oldest+t.counted)%servedMost] = start{f, now}
	t.counted++
	c.leave()
	c.flow = f
}

// runs counts an MTA whose client did not wait here.
func (t *turns) runs(c *client, network, wider netip.Prefix) {
	c.flow = t.flow(network, wider)
	c.flow.charge(1)
}

// end is the end of a client's MTA, if that counts.
func (t *turns) end(c *client) {
	f := c.flow
	if f == nil {
		return
	}
	c.flow = nil
	f.charge(-1)
	for of := range classes {
		t.back(f, of)
	}
	t.forget(f)
}

// uncount ends the time for which the oldest start counts.
func (t *turns) uncount() {
	f := t.served[t.oldest].flow
	t.served[t.oldest] = start{}
	t.oldest = (t.oldest + 1) % servedMost
	t.counted--
	f.charge(-1)
	t.forget(f)
}

// line has a flow stand in the line of the one above, and that in the root's.
func (t *turns) line(f *flow, of class) {
	if !f.stands() {
		t.numbered++
		f.turn = t.numbered
	}
	up := f.up
	up.lines[of].add(f, of)
	if up.up != nil && up.lines[of].at == 0 {
		t.line(up, of)
	}
}

func (t *turns) leaveLine(f *flow, of class) {
	up := f.up
	up.lines[of].drop(f, of)
	if up.up != nil && len(up.lines[of].flows) == 0 {
		t.leaveLine(up, of)
	}
}

// flow is that of a network.
func (t *turns) flow(network, wider netip.Prefix) *flow {
	if f := t.networks[network]; f != nil {
		return f
	}
	if t.networks == nil {
		t.networks, t.wider = map[netip.Prefix]*flow{}, map[netip.Prefix]*flow{}
	}
	up := t.wider[wider]
	if up == nil {
		up = &flow{network: wider, up: &t.root}
		t.wider[wider] = up
	}
	f := &flow{network: network, up: up}
	t.networks[network] = f
	up.held++
	return f
}

// forget gives up a network without clients and MTAs, and with the last one the wider network.
func (t *turns) forget(f *flow) {
	if f.mtas > 0 || f.holds() {
		return
	}
	delete(t.networks, f.network)
	if f.up.held--; f.up.held == 0 {
		delete(t.wider, f.up.network)
	}
}
