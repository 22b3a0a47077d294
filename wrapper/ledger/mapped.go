package ledger

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapWhole maps the file behind l.fd, which has the size that its geometry says.
func (l *Ledger) mapWhole() error {
	prot := unix.PROT_READ | unix.PROT_WRITE
	if l.readOnly {
		prot = unix.PROT_READ
	}
	mem, err := mapFileAs(l.fd, l.geo.sizeIn(l.version), prot)
	if err != nil {
		return &os.PathError{Op: "mmap", Path: l.path, Err: err}
	}
	l.mem = mem
	l.header = view[header](mem, 0)
	l.state = view[state](mem, stateAt)
	rings := ringAt
	if l.undoAt = undoAt; l.version < withLookups {
		rings, l.undoAt = ring3At, undo3At
	}
	l.ring = view[ring](mem, rings)
	l.undo = view[undo](mem, l.undoAt)
	l.totals = view[totals](mem, totalsAt)
	l.late = view[late](mem, lateAt)
	l.past = view[past](mem, pastAt)
	l.observed = view[observed](mem, observedAt)
	l.unlocked = view[unlocked](mem, unlockedAt)
	l.bitmap = words(mem, bitmapAt, int(l.geo.slots)/wordBits)
	return nil
}

// damagedSum is the checksum of a file that is to be set aside.
func damagedSum(h *header) uint64 { return ^checksum(h) }

func checksum(h *header) uint64 {
	fixed := bytesOf(h)[:len(h.magic)+4*4+len(h.seed)*8]
	return sipHash([2]uint64{}, fixed)
}
