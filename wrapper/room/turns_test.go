package room

import (
	"testing"
	"time"
)

// come lets a client of the network 2001:db8:WIDE:NET::/64 wait.
func (t *turns) come(of class, wide, net int) *client {
	c := new(client)
	t.push(c, of, net6(wide, net), wide6(wide))
	return c
}

// A network whose neighbours have many clients waits for one start of each of them at most; a known
// client there waits for none.
func TestNeighbours(t *testing.T) {
	const neighbours, each = 253, 8
	for of := range classes {
		var q turns
		for range each {
			for n := range neighbours {
				q.come(stranger, 1, n)
			}
		}
		for range neighbours / 2 { // some have had their turn before
			q.start(q.next(), time.Hour)
		}
		c := q.come(of, 1, neighbours)
		starts := 0
		for ; q.next() != c; starts++ {
			q.start(q.next(), time.Hour)
		}
		if of == known && starts > 0 || starts > neighbours {
			t.Errorf("class %d: %d of its %d neighbours' clients were first", of, starts,
				neighbours)
		}
	}
}

// A refused client is set aside with its network, and others are asked: maxRefusals of each class
// at once at most, however many wait.
func TestRefusals(t *testing.T) {
	const networks = 1000
	var q turns
	now := time.Hour
	for n := range networks {
		q.come(known, n%7, n)
		q.come(known, n%7, n)
		q.come(stranger, n%7, n)
	}
	for range 7 {
		q.start(q.next(), now)
	}
	last := q.come(stranger, 8, networks)
	asked := map[*client]int{}
	round := func() (n int) {
		for q.beginRound(now); q.next() != nil; n++ {
			asked[q.next()]++
			q.refuse(q.next(), now)
		}
		return n
	}
	if n := round(); n != 2*maxRefusals || asked[last] != 1 {
		t.Errorf("%d are refused at once, the one of another network %d times; want %d, once",
			n, asked[last], 2*maxRefusals)
	}
	now += retryTurn - 1
	if n := round(); n > 0 || q.askAt() != now+1 {
		t.Errorf("before its time %d more are; the next is asked for in %v", n, q.askAt()-now)
	}
	for range networks / maxRefusals {
		now += retryTurn
		if n := round(); n > 2*maxRefusals {
			t.Fatalf("%d are refused at once", n)
		}
	}
	for c := range q.all {
		if c.before == nil && asked[c] == 0 {
			t.Errorf("one of %v, class %d, is not asked for", c.flow.network, c.class)
		}
		if c.before != nil && asked[c] > 0 {
			t.Errorf("%v is asked for twice", c.flow.network)
		}
	}
}

// A network comes back when one of its MTAs ends, and when no other network waits.
func TestAsideEnds(t *testing.T) {
	var q turns
	now := time.Hour
	first, second := q.come(stranger, 1, 1), q.come(stranger, 1, 1)
	other := q.come(stranger, 2, 2)
	q.start(first, now)
	q.refuse(second, now)
	if q.next() != other {
		t.Error("one that was refused is asked for again at once")
	}
	q.end(first)
	q.refuse(other, now)
	if q.next() != second {
		t.Error("when its network's MTA has ended, a client is not asked for")
	}
	second.leave()
	if q.beginRound(now + retryTurn - 1); q.next() != nil || q.askAt() != now+retryTurn {
		t.Errorf("asked for again after %v", q.askAt()-now)
	}
	if q.beginRound(now + retryTurn); q.next() != other || q.askAt() != 0 {
		t.Error("the only one that waits is not asked for")
	}
	q.refuse(other, now+retryTurn)
	third := q.come(stranger, 3, 3)
	if q.beginRound(now + asideTime); q.next() != third {
		t.Error("one that was refused is asked for before another")
	}
	q.refuse(third, now+asideTime)
	third.leave()
	if q.beginRound(now + asideTime + retryTurn); q.next() != other {
		t.Error("it is not asked for any more")
	}
}

// Starts count for a minute, servedMost of them at most, and MTAs for as long as they run.
func TestServedCounts(t *testing.T) {
	var q turns
	now := time.Hour
	c := q.come(known, 1, 1)
	f := c.flow
	counts := func(want int32) {
		t.Helper()
		if f.mtas != want || f.up.mtas != want {
			t.Errorf("%d count, and %d with its neighbours; want %d", f.mtas, f.up.mtas, want)
		}
	}
	q.start(c, now)
	counts(2)
	for n := range servedMost - 1 {
		c := q.come(known, 2, n)
		q.start(c, now)
		q.end(c)
	}
	counts(2)
	q.start(q.come(known, 2, 0), now)
	counts(1)
	q.start(q.come(known, 1, 1), now+1)
	counts(3)
	q.beginRound(now + servedTime)
	counts(3)
	if q.counted != 1 || len(q.networks) != 2 {
		t.Errorf("%d starts count, of %d networks; want 1, and 2 with the one whose MTA runs",
			q.counted, len(q.networks))
	}
	q.beginRound(now + servedTime + 1)
	counts(2)
	q.end(c)
	counts(1)
}
