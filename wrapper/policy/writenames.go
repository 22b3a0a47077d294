package policy

import (
	"cmp"
	"slices"

	"sendwrap/allowlist/rule"
)

// hashedName is a name with its hash.
type hashedName struct {
	hash uint64
	*Name
}

func (n *Name) size() int { return nameHead + len(n.Text) }

// place gives pages from the number next to the names, and puts these in the order of their pages.
// Half of the room is left free at least, and as much more as it takes that each page has room for
// those that lead there. ok is false if a name is no name, or the hash is none.
func (t *nameTable) place(next int, all []Name, key [2]uint64) (names []hashedName, ok bool) {
	if len(all) == 0 {
		return nil, true
	}
	t.at = uint32(next)
	t.setKey(key)
	total := 0
	for i := range all {
		n := &all[i]
		if n.Text == "" || len(n.Text) > rule.MaxName || rule.Labels(n.Text) > rule.MaxLabels {
			return nil, false
		}
		t.labels = max(t.labels, uint32(rule.Labels(n.Text)))
		names = append(names, hashedName{t.hash(n.Text), n})
		total += n.size()
	}
	slices.SortFunc(names, func(a, b hashedName) int { return cmp.Compare(a.hash, b.hash) })
	least := 1 + 2*total/bodySize
	if least == 2 && total <= bodySize {
		least = 1
	}
	for pages := least; pages <= min(64+32*least, maxPages); pages += 1 + pages/4 {
		if t.pages = uint32(pages); t.holds(names) {
			return names, true
		}
	}
	return nil, false
}

// holds reports whether each page has room for its names, which are in the order of their hashes.
func (t *nameTable) holds(names []hashedName) bool {
	at, used := uint32(0), 0
	for _, n := range names {
		if page := pageOf(n.hash, t.pages); page != at {
			at, used = page, 0
		}
		if used += n.size(); used > bodySize {
			return false
		}
	}
	return true
}

// names writes the pages of the names.
func (w *writer) names(t nameTable, names []hashedName) {
	for page := range t.pages {
		h, b := head{kind: namesPage}, w.page[headSize:]
		for ; len(names) > 0 && pageOf(names[0].hash, t.pages) == page; names = names[1:] {
			n := names[0].Name
			n.put(b, w.places)
			b[ruleSize] = uint8(len(n.Text))
			copy(b[nameHead:], n.Text)
			b = b[n.size():]
			h.count++
		}
		w.put(h)
	}
}
