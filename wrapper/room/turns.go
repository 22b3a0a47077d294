package room

import (
	"net/netip"
	"time"
)

const (
	// A start counts for servedTime; without that the MTAs of clients that leave at once would
	// never count. No client waits for its turn for longer. The last servedMost starts count at
	// most.
	servedTime = turnTime
	servedMost = 1024

	// asideTime is how long a network is set aside for which there was no place, since there will
	// hardly be one sooner. It is less if one of its MTAs ends, or if no other network waits.
	asideTime = time.Second

	// maxRefusals is how many networks of a class are set aside within retryTurn. Each costs a look
	// into the ledger, and there may be no place for any of the thousands that wait. Each class has
	// its own number, so that known clients without a place never keep strangers from their turn.
	maxRefusals = 16
)

// turns is the fair queue of the clients that have passed, or are known, and wait for an MTA. Known
// clients go before strangers. Among either, the wide network with the fewest MTAs has its turn;
// within it, the network with the fewest; within that, the client that came first. Networks with
// equally many take turns (round robin). MTAs under way count, and so do recent starts: otherwise
// clients that come and go at once would always be first.
//
// So a newcomer waits at most for one start of each network that waits already, however many
// clients these have: each start puts their network behind the newcomer's. The same holds for
// neighbours, within the turns of their wide network.
//
// The zero turns are empty.
type turns struct {
	queue    // all clients, in the order in which they came, which is that of their due times
	root     flow
	networks map[netip.Prefix]*flow
	wide     map[netip.Prefix]*flow
	taken    uint64            // turns so far
	served   [servedMost]start // a ring of the starts that count, from oldest on
	oldest   int
	counted  int // starts in the ring

	aside         []setAside   // networks, the first to come back first
	refusals      [classes]int // networks set aside since refusalsSince
	refusalsSince time.Duration
}

// start is one that still counts.
type start struct {
	flow *flow
	at   time.Duration
}

// setAside is a network for which there was no place.
type setAside struct {
	flow *flow
	of   class
	at   time.Duration
}

// push lets a client wait. Network and wide are those under which it counts.
func (t *turns) push(c *client, of class, network, wide netip.Prefix) {
	t.queue.turns = t
	t.queue.push(c)
	c.class, c.flow = of, t.flow(network, wide)
	l := &c.flow.lines[of]
	l.push(c)
	if l.at == 0 && !l.aside {
		t.joinLine(c.flow, of)
	}
}

// remove takes out a client that leaves the queue.
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

// next returns the client whose turn it is; nil if no client has its turn before askAt.
func (t *turns) next() *client {
	for of := range classes {
		if f := &t.root; t.refusals[of] < maxRefusals && len(f.lines[of].flows) > 0 {
			for len(f.lines[of].flows) > 0 {
				f = f.lines[of].flows[0]
			}
			return f.lines[of].first
		}
	}
	return nil
}

// beginRound drops the starts that no longer count, and brings back networks that were set aside.
func (t *turns) beginRound(now time.Duration) {
	for t.counted > 0 && now >= t.served[t.oldest].at+servedTime {
		t.uncount()
	}
	if now >= t.refusalsSince+retryTurn {
		t.refusals, t.refusalsSince = [classes]int{}, now
	}
	rest := asideTime
	if t.allAside() {
		rest = retryTurn
	}
	for len(t.aside) > 0 && now >= t.aside[0].at+rest {
		a := t.aside[0]
		t.aside = t.aside[1:]
		t.bringBack(a.flow, a.of)
	}
}

// refuse sets the client's network aside, since there is no place for it now.
func (t *turns) refuse(c *client, now time.Duration) {
	t.refusals[c.class]++
	c.flow.lines[c.class].aside = true
	t.leaveLine(c.flow, c.class)
	t.aside = append(t.aside, setAside{c.flow, c.class, now})
}

// bringBack lets a network that was set aside wait in line again.
func (t *turns) bringBack(f *flow, of class) {
	l := &f.lines[of]
	if l.aside = false; l.first != nil && l.at == 0 {
		t.joinLine(f, of)
	}
}

// allAside reports whether all networks with waiting clients are set aside.
func (t *turns) allAside() bool {
	for of := range classes {
		if len(t.root.lines[of].flows) > 0 {
			return false
		}
	}
	return true
}

// askAt is when next returns a client again, while any waits; 0: now.
func (t *turns) askAt() time.Duration {
	switch {
	case t.next() != nil:
		return 0
	case t.allAside() && len(t.aside) > 0:
		return t.aside[0].at + retryTurn
	}
	return t.refusalsSince + retryTurn
}

// start takes out the client whose turn it is. Its MTA counts until end, and the start for
// servedTime.
func (t *turns) start(c *client, now time.Duration) {
	f := c.flow
	for up := f; up.up != nil; up = up.up {
		t.taken++
		up.lastTurn = t.taken
	}
	f.addMTAs(2) // the MTA and the start
	if t.counted == servedMost {
		t.uncount()
	}
	t.served[(t.oldest+t.counted)%servedMost] = start{f, now}
	t.counted++
	c.leave()
	c.flow = f
}

// countMTA counts the MTA of a client that did not wait in turns.
func (t *turns) countMTA(c *client, network, wide netip.Prefix) {
	c.flow = t.flow(network, wide)
	c.flow.addMTAs(1)
}

// end stops counting a client's MTA, if that counts.
func (t *turns) end(c *client) {
	f := c.flow
	if f == nil {
		return
	}
	c.flow = nil
	f.addMTAs(-1)
	for of := range classes {
		t.bringBack(f, of)
	}
	t.forget(f)
}

// uncount drops the oldest start that counts.
func (t *turns) uncount() {
	f := t.served[t.oldest].flow
	t.served[t.oldest] = start{}
	t.oldest = (t.oldest + 1) % servedMost
	t.counted--
	f.addMTAs(-1)
	t.forget(f)
}

// joinLine puts a flow into the line of its wide network, and that into the root's.
func (t *turns) joinLine(f *flow, of class) {
	if !f.inLine() {
		t.taken++
		f.lastTurn = t.taken
	}
	up := f.up
	up.lines[of].add(f, of)
	if up.up != nil && up.lines[of].at == 0 {
		t.joinLine(up, of)
	}
}

func (t *turns) leaveLine(f *flow, of class) {
	up := f.up
	up.lines[of].drop(f, of)
	if up.up != nil && len(up.lines[of].flows) == 0 {
		t.leaveLine(up, of)
	}
}

// flow returns the flow of a network.
func (t *turns) flow(network, wide netip.Prefix) *flow {
	if f := t.networks[network]; f != nil {
		return f
	}
	if t.networks == nil {
		t.networks, t.wide = map[netip.Prefix]*flow{}, map[netip.Prefix]*flow{}
	}
	up := t.wide[wide]
	if up == nil {
		up = &flow{network: wide, up: &t.root}
		t.wide[wide] = up
	}
	f := &flow{network: network, up: up}
	t.networks[network] = f
	up.held++
	return f
}

// forget deletes a network without clients and MTAs, and its wide network with the last one.
func (t *turns) forget(f *flow) {
	if f.mtas > 0 || f.hasClients() {
		return
	}
	delete(t.networks, f.network)
	if f.up.held--; f.up.held == 0 {
		delete(t.wide, f.up.network)
	}
}
