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
	Limits   []rule.Limits // those that the ranges and names name
	V4, V6   []Range
	Names    []Name    // in any order, each text once
	NameKey  [2]uint64 // for their hash: a random one that nobody else knows
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
	pages = v4.place(&h.v4, pages, len(c.V4))
	pages = v6.place(&h.v6, pages, len(c.V6))
	names, ok := h.names.place(pages, c)
	pages += int(h.names.pages)
	if h.pages = uint32(pages); !ok || pages > maxPages {
		return 0, errTooLarge
	}
	out := writer{to: w, edition: uint64(c.Made.UnixNano())}
	out.texts(h, texts.written)
	out.limits(c.Limits)
	out.tree(v4, h.v4, c.V4)
	out.tree(v6, h.v6, c.V6)
	out.names(h.names, names)
	return int64(out.number) * pageSize, out.err
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
	number  uint32 // of the next page
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
				r.put(b[f.keySize:])
			}
		}
		if level > 0 {
			h.child = child + uint32(first)
		}
		w.put(h)
	}
}
