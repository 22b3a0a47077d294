package ledger

// Bounds of the geometry that Open accepts, in client records.
const (
	MinClients = 1024
	MaxClients = 1 << 24
)

// minLookups is for how many addresses the smallest ledger keeps what DNS has said.
const minLookups = 1024

// geometry says where things are in a file with that number of buckets and slots.
type geometry struct {
	buckets, slots uint32
}

func geometryFor(clients int) geometry {
	buckets := (clients + ways - 1) / ways
	slots := max(minSlots, (clients/2+wordBits-1)/wordBits*wordBits)
	return geometry{uint32(buckets), uint32(slots)}
}

func roundToPage(n int) int { return (n + page - 1) / page * page }

func (g geometry) slotsAt() int   { return bitmapAt + roundToPage(int(g.slots)/8) }
func (g geometry) bucketsAt() int { return g.slotsAt() + roundToPage(int(g.slots)*slotSize) }
func (g geometry) listsAt() int   { return g.bucketsAt() + int(g.buckets)*page }
func (g geometry) lookupsAt() int { return g.listsAt() + page }
func (g geometry) sharingAt() int { return g.lookupsAt() + g.lookupBuckets()*page }
func (g geometry) outboxAt() int  { return g.sharingAt() + sharingSize }
func (g geometry) size() int      { return g.outboxAt() + OutboxSize*outboxSize }

// lookupBuckets is the number of buckets of lookups: there is a lookup for each fourth client.
func (g geometry) lookupBuckets() int {
	const share = 4 * ways / lookupWays
	return max(minLookups/lookupWays, (int(g.buckets)+share-1)/share)
}

// sizeIn is the size of a file of that version.
func (g geometry) sizeIn(version uint32) int {
	switch {
	case version < withLookups:
		return g.listsAt()
	case version < withSharing:
		return g.sharingAt()
	}
	return g.size()
}

// sane refuses a geometry that no build of this program makes, before it is used as a size.
func (g geometry) sane() bool {
	return g.buckets >= MinClients/ways && g.buckets <= MaxClients/ways &&
		g.slots >= minSlots && g.slots <= MaxClients && g.slots%wordBits == 0
}

// SessionsFor is the number of sessions, waiting and being served, that fit in a ledger for that
// number of clients.
func SessionsFor(clients int) int { return int(geometryFor(clients).slots) }

// SizeFor is the size in bytes of a ledger for that number of clients.
func SizeFor(clients int) int { return geometryFor(clients).size() }

// ClientsFor is the smallest number of clients, or nearly so, whose ledger has room for that number
// of sessions.
func ClientsFor(sessions int) int {
	if sessions <= minSlots {
		return MinClients
	}
	return 2 * sessions
}
