package report

import (
	"cmp"
	"slices"
)

// maxKeys is how many keys are kept.
const maxKeys = 8192

// frequent counts keys of which there may be millions, and keeps those that come most: with up to
// maxKeys keys each count is exact. After that a new key takes the place of the least, and its
// count (Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k Elements in
// Data Streams", 2005, the Space-Saving algorithm). So a count is never too small, and too large by
// cell.over at most; a key with more than one of maxKeys of all counts is never missing. What is
// shown is the count that is sure.
type frequent[K comparable] struct {
	cells []*cell[K] // a heap, the least first
	index map[K]*cell[K]
}

type cell[K comparable] struct {
	key   K
	at    int // in the heap
	count int
	over  int
	last  uint8 // the verdict that was counted last
}

// sure is how often the key came at least.
func (c *cell[K]) sure() int { return c.count - c.over }

// add counts n of key.
func (t *frequent[K]) add(key K, n int, last uint8) {
	c := t.index[key]
	switch {
	case c != nil:
	case len(t.cells) < maxKeys:
		if t.index == nil {
			t.index = map[K]*cell[K]{}
		}
		c = &cell[K]{key: key, at: len(t.cells)}
		t.cells = append(t.cells, c)
		t.index[key] = c
		t.up(c.at)
	default:
		c = t.cells[0]
		delete(t.index, c.key)
		c.key, c.over = key, c.count
		t.index[key] = c
	}
	c.count += n
	c.last = last
	t.down(c.at)
}

func (t *frequent[K]) swap(i, j int) {
	t.cells[i], t.cells[j] = t.cells[j], t.cells[i]
	t.cells[i].at, t.cells[j].at = i, j
}

func (t *frequent[K]) up(i int) {
	for i > 0 && t.cells[i].count < t.cells[(i-1)/2].count {
		t.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (t *frequent[K]) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(t.cells); child++ {
			if t.cells[child].count < t.cells[least].count {
				least = child
			}
		}
		if least == i {
			return
		}
		t.swap(i, least)
		i = least
	}
}

// list returns the first n, the largest first, named by name.
func (t *frequent[K]) list(n int, name func(K) string) []Count {
	type named struct {
		*cell[K]
		name string
	}
	all := make([]named, len(t.cells))
	for i, c := range t.cells {
		all[i] = named{c, name(c.key)}
	}
	slices.SortFunc(all, func(a, b named) int {
		return cmp.Or(cmp.Compare(b.sure(), a.sure()), cmp.Compare(a.name, b.name))
	})
	counts := []Count{}
	for _, c := range all[:min(n, len(all))] {
		counts = append(counts, Count{Key: c.name, Count: c.sure(), More: c.over,
			Last: word(c.last)})
	}
	return counts
}
