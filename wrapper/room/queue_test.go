package room

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A queue is compared with a slice while clients come and leave at random, at its ends and in its
// middle.
func TestQueue(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q, other queue
	var want []*client
	for range 20_000 {
		switch n := r.IntN(4); {
		case n < 2:
			c := new(client)
			q.push(c)
			want = append(want, c)
		case len(want) > 0:
			at := []int{0, len(want) - 1, r.IntN(len(want))}[r.IntN(3)]
			c := want[at]
			c.leave()
			c.leave() // a client in no queue leaves none
			want = slices.Delete(want, at, at+1)
			if n == 3 {
				other.push(c)
			}
		}
		if q.len != len(want) {
			t.Fatalf("%d in the queue; want %d", q.len, len(want))
		}
	}
	var forward, backward []*client
	for c := range q.all {
		forward = append(forward, c)
	}
	for c := q.last; c != nil; c = c.prev {
		backward = append(backward, c)
	}
	slices.Reverse(backward)
	if !slices.Equal(forward, want) || !slices.Equal(backward, want) {
		t.Error("another order than they came in")
	}
	for c := range q.all {
		c.leave()
		other.push(c) // all goes on with the next of q
	}
	if q.len != 0 || q.first != nil || q.last != nil {
		t.Errorf("%d are left", q.len)
	}
}
