package policy

import "strconv"

// header says what is where. It follows the head of the first page.
type header struct {
	pages    uint32 // of the whole file
	texts    uint32 // bytes
	limits   uint32 // how many
	limitsAt uint32 // page
	v4, v6   root
	names    nameTable
}

// root is where a tree begins.
type root struct{ at, levels uint32 }

func (h *header) words() []*uint32 {
	n := &h.names
	return []*uint32{&h.pages, &h.texts, &h.limits, &h.limitsAt, &h.v4.at, &h.v4.levels, &h.v6.at,
		&h.v6.levels, &n.at, &n.pages, &n.labels, &n.key[0], &n.key[1], &n.key[2], &n.key[3]}
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
		h.v4.sane(h.pages) && h.v6.sane(h.pages) && h.names.sane(h.pages)
}

func (r root) sane(pages uint32) bool {
	return r.at > 0 && r.at < pages && r.levels > 0 && r.levels <= maxLevels
}

// textsPages is how many pages the texts need beside the first.
func textsPages(bytes uint32) uint32 {
	const inFirst = bodySize - headerSize
	return uint32(pagesFor(max(0, int(bytes)-inFirst), bodySize))
}
