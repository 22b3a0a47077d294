package policy

import "strconv"

// header says what is where. It follows the head of the first page.
type header struct {
	pages    uint32 // of the whole file
	texts    uint32 // bytes
	limits   uint32 // how many
	limitsAt uint32 // page
	table           // what sendwrap.conf says
	access   table  // what the access map says; no levels: there is none
	unnamed  table  // and of clients without a confirmed name; there are no names in it
}

// table says where the rules of a file are.
type table struct {
	v4, v6 root
	names  nameTable
}

// tableWords and headerWords are how many words they have. Arrays, since slices of pointers would
// put the header on the heap: six page faults for each client.
const (
	tableWords  = 11
	headerWords = 4 + 3*tableWords
)

func (t *table) words() [tableWords]*uint32 {
	n := &t.names
	return [...]*uint32{&t.v4.at, &t.v4.levels, &t.v6.at, &t.v6.levels, &n.at, &n.pages, &n.labels,
		&n.key[0], &n.key[1], &n.key[2], &n.key[3]}
}

// isThere reports whether there are trees.
func (t *table) isThere() bool { return t.v4.levels > 0 }

// root is where a tree begins.
type root struct{ at, levels uint32 }

func (h *header) words() (all [headerWords]*uint32) {
	all[0], all[1], all[2], all[3] = &h.pages, &h.texts, &h.limits, &h.limitsAt
	for i, t := range [...]*table{&h.table, &h.access, &h.unnamed} {
		for j, word := range t.words() {
			all[4+i*tableWords+j] = word
		}
	}
	return all
}

func (p *page) putHeader(h header) {
	b := p[headSize:]
	copy(b, magic)
	put32(b[8:], Version)
	for i, w := range h.words() {
		put32(b[12+4*i:], *w)
	}
}

// readHeader reads the header of a file of that size. why says what is wrong with it, if anything.
func (p *page) readHeader(size int64) (h header, why string) {
	b := p[headSize:]
	if string(b[:8]) != magic {
		return h, "is no compiled policy"
	}
	// A later version may have another checksum; magic and version stay where they are.
	if version := get32(b[8:]); version != Version {
		return h, "is of version " + strconv.FormatUint(uint64(version), 10) +
			"; this program reads " + strconv.Itoa(Version)
	}
	for i, w := range h.words() {
		*w = get32(b[12+4*i:])
	}
	switch {
	case !p.isWhole() || !h.sane():
		return h, "is damaged"
	case size != int64(h.pages)*pageSize:
		return h, "is " + strconv.FormatInt(size, 10) + " bytes long; want " +
			strconv.FormatInt(int64(h.pages)*pageSize, 10)
	}
	return h, ""
}

// sane reports whether all parts are within the file.
func (h *header) sane() bool {
	return h.pages <= maxPages && h.texts <= maxTexts && h.pages > textsPages(h.texts) &&
		h.limitsAt <= h.pages && int(h.limits) <= int(h.pages)*limitsPer &&
		h.table.isThere() && h.table.sane(h.pages) && h.access.sane(h.pages) &&
		h.unnamed.sane(h.pages)
}

func (t *table) sane(pages uint32) bool {
	return *t == table{} || t.v4.sane(pages) && t.v6.sane(pages) && t.names.sane(pages)
}

func (r root) sane(pages uint32) bool {
	return r.at > 0 && r.at < pages && r.levels > 0 && r.levels <= maxLevels
}

// textsPages is how many pages the texts need beside the first.
func textsPages(bytes uint32) uint32 {
	const inFirst = bodySize - headerSize
	return uint32(pagesFor(max(0, int(bytes)-inFirst), bodySize))
}
