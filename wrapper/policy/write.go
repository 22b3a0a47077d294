package policy

import (
	"errors"
	"io"
	"time"

	"sendwrap/allowlist/rule"
)

// Content is what a compiled policy holds.
type Content struct {
	Made     time.Time // before the sources were read
	Sources  []Source  // the configuration file first
	Settings *Settings
	Warnings []string
	Limits   []rule.Limits // those that the rules name
	Replies  []string      // those that the rules name
	Table                  // what sendwrap.conf says
	Map      Table         // what the access map says; without ranges there is none
	Unnamed  Table         // and of clients without a confirmed name; it has no names
	NameKey  [2]uint64     // for the hash of names: a random one that nobody else knows
}

// Table is what a file says.
type Table struct {
	V4, V6 []Range
	Names  []Name // in any order, each text once
}

// Range is a range of addresses, up to the next Range. The first one of a family begins with
// address 0.
type Range struct {
	Hi, Lo uint64 // its first address as a number; Hi = 0 for IPv4
	Rule
}

// Name is a name with what holds for it. What was said of the names above it is in its Rule.
type Name struct {
	Text string // as allowlist.ParseName returns it
	Rule
}

// errTooLarge is no reason to worry: the text serves.
var errTooLarge = errors.New("more than a compiled policy can hold")

// Write writes the compiled form of a policy, and returns the number of bytes.
func Write(w io.Writer, c *Content) (int64, error) {
	var texts coder
	texts.texts(&c.Sources, c.Settings, &c.Warnings)
	if texts.failed || len(texts.written) > maxTexts || len(c.Sources) > 1<<16 {
		return 0, errTooLarge
	}
	h := header{texts: uint32(len(texts.written)), limits: uint32(len(c.Limits))}
	pages := 1 + int(textsPages(h.texts))
	h.limitsAt = uint32(pages)
	pages += pagesFor(len(c.Limits), limitsPer)
	places, pages, ok := placeReplies(c.Replies, pages)
	var tables [3]placedTable
	for i, t := range []*Table{&c.Table, &c.Map, &c.Unnamed} {
		at := []*table{&h.table, &h.access, &h.unnamed}[i]
		ok = ok && tables[i].place(at, &pages, t, c.NameKey)
	}
	if h.pages = uint32(pages); !ok || pages > maxPages {
		return 0, errTooLarge
	}
	out := writer{to: w, edition: uint64(c.Made.UnixNano()), places: places}
	out.texts(h, texts.written)
	out.limits(c.Limits)
	out.replies(c.Replies)
	for i := range tables {
		out.table(&tables[i])
	}
	return int64(out.number) * pageSize, out.err
}

// placedTable is a table with its place.
type placedTable struct {
	at *table
	*Table
	names []hashedName
}

// place gives pages from the number next to a table, and moves next on. ok is false if a name is
// no name, or the hash is none.
func (p *placedTable) place(at *table, next *int, t *Table, key [2]uint64) (ok bool) {
	p.at, p.Table = at, t
	if len(t.V4) == 0 {
		return true
	}
	*next = v4.place(&at.v4, *next, len(t.V4))
	*next = v6.place(&at.v6, *next, len(t.V6))
	p.names, ok = at.names.place(*next, t.Names, key)
	*next += int(at.names.pages)
	return ok
}

func (w *writer) table(p *placedTable) {
	w.tree(v4, p.at.v4, p.V4)
	w.tree(v6, p.at.v6, p.V6)
	w.names(p.at.names, p.names)
}

// place gives the pages from the number next to a tree, and returns the number after it.
func (f family) place(r *root, next, ranges int) int {
	r.at, r.levels = uint32(next), uint32(f.levels(ranges))
	for level := range int(r.levels) {
		ranges = pagesFor(ranges, f.fanout(level))
		next += ranges
	}
	return next
}

// writer writes page after page.
type writer struct {
	to      io.Writer
	edition uint64
	places  []uint32 // of replies, by their number
	number  uint32   // of the next page
	page    page
	err     error
}

// put writes the page, and begins the next one.
func (w *writer) put(h head) {
	h.edition, h.number = w.edition, w.number
	w.page.seal(h)
	if w.err == nil {
		_, w.err = w.to.Write(w.page[:])
	}
	w.number++
	w.page = page{}
}

func (w *writer) texts(h header, text []byte) {
	w.page.putHeader(h)
	n := copy(w.page[headSize+headerSize:], text)
	w.put(head{kind: firstPage})
	for text = text[n:]; len(text) > 0; text = text[n:] {
		n = copy(w.page[headSize:], text)
		w.put(head{kind: textsPage})
	}
}

func (w *writer) limits(all []rule.Limits) {
	for len(all) > 0 {
		n := min(len(all), limitsPer)
		for i, l := range all[:n] {
			putLimits(w.page[headSize+i*limitsSize:], l)
		}
		w.put(head{kind: limitsPage, count: uint16(n)})
		all = all[n:]
	}
}

// tree writes the levels of a tree, from the root to the leaves.
func (w *writer) tree(f family, r root, ranges []Range) {
	for level := int(r.levels) - 1; level >= 0; level-- {
		w.level(f, level, ranges)
	}
}

// level writes all pages of a level. An entry of an inner page begins with the first range of the
// leaves below it.
func (w *writer) level(f family, level int, ranges []Range) {
	below := 1 // ranges below an entry
	for l := range level {
		below *= f.fanout(l)
	}
	size := f.keySize
	if level == 0 {
		size = f.leafSize()
	}
	entries, fanout := pagesFor(len(ranges), below), f.fanout(level)
	child := w.number + uint32(pagesFor(entries, fanout)) // the next level begins there
	for first := 0; first < entries; first += fanout {
		h := head{kind: f.kind, level: uint32(level), count: uint16(min(fanout, entries-first))}
		for i := range int(h.count) {
			b, r := w.page[headSize+i*size:], &ranges[(first+i)*below]
			f.putKey(b, key{r.Hi, r.Lo})
			if level == 0 {
				r.put(b[f.keySize:], w.places)
			}
		}
		if level > 0 {
			h.child = child + uint32(first)
		}
		w.put(h)
	}
}
