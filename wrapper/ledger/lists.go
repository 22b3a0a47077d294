package ledger

import (
	"math"
	"time"
)

// MaxLists is how many lists of DNS the ledger knows at once. Of more than that, each new one takes
// the place of the one that was not used for the longest time.
const MaxLists = 32

// List is how a list of DNS behaves. The ledger knows it by a hash of its zone alone, which may be
// secret.
type List struct {
	Asked, Listed, Failed uint64 // about how many addresses, since the file was made

	Tested bool          // it has passed its last test; false as long as none has ended
	Aside  time.Duration // for which it is still set aside; 0 = it is not
	Why    string        // it was set aside: one word, as a reason

	// Of late: about how many addresses the list has answered, and how many of these it has listed.
	// Of late is in the last full window of CountList, and since.
	Recent, RecentListed int
}

const (
	longestAside  = 24 * time.Hour
	listTestLease = time.Minute
)

// List returns how the list of that zone behaves.
func (t *Tx) List(zone string) List {
	e := t.l.findList(t.l.zoneSum(zone))
	if e == nil {
		return List{}
	}
	return e.behavior(t.now)
}

// Lists is Tx.List for each of the zones, in their order. It keeps no process waiting.
func (l *Ledger) Lists(now Moment, zones []string) ([]List, error) {
	r, err := l.newReader(now)
	if err != nil {
		return nil, err
	}
	if err := r.copyAt(l.geo.listsAt(), page); err != nil {
		return nil, err
	}
	all := make([]List, len(zones))
	for n, zone := range zones {
		sum := l.zoneSum(zone)
		for i := range MaxLists {
			if e := view[list](r.copy, i*listSize); e.zone == sum {
				all[n] = e.behavior(r.now)
				break
			}
		}
	}
	return all, nil
}

// ClaimListTest reports whether it is up to the caller to test the list now: it is not set aside,
// nobody else has begun a test within a minute, and it has not passed one in the time given.
func (t *Tx) ClaimListTest(zone string, every time.Duration) (claimed bool) {
	if e := t.l.findList(t.l.zoneSum(zone)); e != nil {
		passed := e.passed == 1 && isWithin(t.now, e.testedAt, every)
		if passed || e.aside(t.now) > 0 || isWithin(t.now, e.claimedAt, listTestLease) {
			return false
		}
	}
	t.changeList(zone).claimedAt = t.now
	return true
}

// DropListTest ends the claim to a test without a result.
func (t *Tx) DropListTest(zone string) { t.changeList(zone).claimedAt = 0 }

// PassListTest notes that the list behaves, and is no longer set aside.
func (t *Tx) PassListTest(zone string) {
	e := t.changeList(zone)
	e.passed, e.testedAt = 1, t.now
	e.claimedAt, e.asideTill, e.failures = 0, 0, 0
	e.why = [reasonSize]byte{}
}

// SetListAside notes that the list is not to be asked for that time, a day at most, and why. It has
// then to pass another test.
func (t *Tx) SetListAside(zone, why string, d time.Duration) {
	e := t.changeList(zone)
	e.passed, e.testedAt = 0, t.now
	e.claimedAt, e.failures = 0, 0
	e.asideTill = t.now + max(0, min(d, longestAside)).Milliseconds()
	setWord(&e.why, why)
}

// ListAnswer is what came of asking a list about one address.
type ListAnswer struct{ Listed, Failed bool }

// CountList counts an answer. It returns how often the list has failed without an answer in
// between, and, each time a window of the last addresses is full, how many of these it has listed;
// else -1. There is room for MaxLists answers in one Do.
func (t *Tx) CountList(zone string, a ListAnswer, window int) (failures, listedOfWindow int) {
	e := t.changeList(zone)
	e.asked++
	if a.Failed {
		e.failed++
		e.failures = min(e.failures, math.MaxInt32-1) + 1
		return int(e.failures), -1
	}
	e.failures = 0
	e.answers = min(e.answers, math.MaxInt32-1) + 1
	if a.Listed {
		e.listed++
		e.hits++
	}
	e.hits = min(e.hits, e.answers)
	if window <= 0 || int(e.answers) < window {
		return 0, -1
	}
	e.lastAnswers, e.lastHits = e.answers, e.hits
	e.answers, e.hits = 0, 0
	return 0, min(int(e.lastHits), window)
}

// behavior is the entry as others see it. Any of its bytes may have any value.
func (e *list) behavior(now int64) List {
	recent := uint64(e.lastAnswers) + uint64(e.answers)
	hits := min(uint64(e.lastHits)+uint64(e.hits), recent)
	return List{
		Asked: e.asked, Listed: e.listed, Failed: e.failed,
		Tested: e.passed == 1,
		Aside:  time.Duration(e.aside(now)) * time.Millisecond,
		Why:    wordIn(&e.why),
		Recent: int(min(recent, math.MaxInt32)), RecentListed: int(min(hits, math.MaxInt32)),
	}
}

// aside is for how long the list is still set aside, in ms.
func (e *list) aside(now int64) int64 {
	if e.asideTill <= now || e.asideTill-now > longestAside.Milliseconds() {
		return 0
	}
	return e.asideTill - now
}

// isWithin says whether "at" was less than d ago.
func isWithin(now, at int64, d time.Duration) bool {
	return 0 < at && at <= now && now-at < d.Milliseconds()
}

func (l *Ledger) list(i int) *list { return view[list](l.mem, l.geo.listsAt()+i*listSize) }

// zoneSum is what the file holds instead of the zone: a hash with the key of the file.
func (l *Ledger) zoneSum(zone string) uint64 {
	return max(1, sipHash(l.header.seed, []byte(zone)))
}

// findList is the entry of a zone with that sum, or nil.
func (l *Ledger) findList(sum uint64) *list {
	for i := range MaxLists {
		if e := l.list(i); e.zone == sum {
			return e
		}
	}
	return nil
}

// changeList is the entry of the zone, or a new one in place of the one unused for longest. It may
// be written to.
func (t *Tx) changeList(zone string) *list {
	sum := t.l.zoneSum(zone)
	at, oldest := 0, int64(math.MaxInt64)
	for i := range MaxLists {
		e := t.l.list(i)
		if e.zone == sum {
			at = i
			break
		}
		used := e.usedAt
		if e.zone == 0 || used > t.now {
			used = math.MinInt64
		}
		if used < oldest {
			at, oldest = i, used
		}
	}
	t.l.save(t.l.geo.listsAt()+at*listSize, listSize)
	e := t.l.list(at)
	if e.zone != sum {
		*e = list{zone: sum}
	}
	e.usedAt = t.now
	return e
}
