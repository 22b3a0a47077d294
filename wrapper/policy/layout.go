package policy

import (
	"math/bits"

	"sendwrap/allowlist/rule"
)

// Version is that of the format.
const Version = 3

const magic = "swpolicy"

const (
	pageSize  = 4096
	headSize  = 32
	bodySize  = pageSize - headSize
	maxLevels = 6 // of a tree; 2^32 ranges of IPv6 have five

	// The header follows the head of the first page.
	headerSize = 160
	maxTexts   = 1 << 20 // bytes; a policy with longer ones is not compiled
	maxPages   = 1 << 26

	ruleSize   = 16
	keys       = int(rule.Keys)
	limitsSize = setSize + keys*16
	setSize    = 4 // bytes that say which keys are set
	limitsPer  = bodySize / limitsSize
)

const _ = uint32(1) << (keys - 1) // it does not compile if there are more keys than bits for them

// kind says what is in a page.
type kind uint16

const (
	firstPage kind = iota + 1
	textsPage
	limitsPage
	v4Page
	v6Page
	namesPage
	repliesPage
)

// family is what differs between the trees of IPv4 and IPv6.
type family struct {
	kind    kind
	keySize int // bytes of an address
}

var (
	v4 = family{v4Page, 4}
	v6 = family{v6Page, 16}
)

func (f family) bits() int     { return 8 * f.keySize }
func (f family) leafSize() int { return f.keySize + ruleSize }

// fanout is the number of entries of a page.
func (f family) fanout(level int) int {
	if level == 0 {
		return bodySize / f.leafSize()
	}
	return bodySize / f.keySize
}

// levels is the height of a tree with that many ranges.
func (f family) levels(ranges int) (n int) {
	for {
		n++
		pages := pagesFor(ranges, f.fanout(n-1))
		if pages == 1 {
			return n
		}
		ranges = pages
	}
}

func pagesFor(entries, each int) int { return (entries + each - 1) / each }

// page is one page, in memory.
type page [pageSize]byte

// head is what a page says of itself.
type head struct {
	edition uint64
	number  uint32
	kind    kind
	count   uint16
	level   uint32
	child   uint32
}

func (p *page) head() head {
	return head{get64(p[8:]), get32(p[16:]), kind(get16(p[20:])), get16(p[22:]), get32(p[24:]),
		get32(p[28:])}
}

// seal writes the head, and with it the checksum of what the page holds.
func (p *page) seal(h head) {
	put64(p[8:], h.edition)
	put32(p[16:], h.number)
	put16(p[20:], uint16(h.kind))
	put16(p[22:], h.count)
	put32(p[24:], h.level)
	put32(p[28:], h.child)
	put64(p[0:], p.sum())
}

// isWhole reports whether the page is as it was sealed.
func (p *page) isWhole() bool { return get64(p[0:]) == p.sum() }

// sum is the checksum. One changed word always changes it, since each step can be undone. It takes
// about a microsecond: FNV, byte by byte, would take five.
func (p *page) sum() uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := 8; i < pageSize; i += 8 {
		h = bits.RotateLeft64(h^get64(p[i:]), 29) * 0x9e3779b97f4a7c15
	}
	return h ^ h>>32
}

// Numbers are little-endian. encoding/binary has the same, but links package reflect.

func get16(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 }
func get32(b []byte) uint32 { return uint32(get16(b)) | uint32(get16(b[2:]))<<16 }
func get64(b []byte) uint64 { return uint64(get32(b)) | uint64(get32(b[4:]))<<32 }

func put16(b []byte, v uint16) { b[0], b[1] = byte(v), byte(v>>8) }
func put32(b []byte, v uint32) { put16(b, uint16(v)); put16(b[2:], uint16(v>>16)) }
func put64(b []byte, v uint64) { put32(b, uint32(v)); put32(b[4:], uint32(v>>32)) }
