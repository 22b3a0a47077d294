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
	Missed int           // tests without a result since the last one that had one

	// Unheard is for how long DNS has answered nothing; 0 = the last question about the list was
	// answered, or was not the only one without an answer.
	Unheard time.Duration

	// Of late: about how many addresses the list has answered, and how many of these it has listed.
	// Of late is in the last full window of CountList, and since.
	Recent, RecentListed int
}

const (
	longestAside  = 24 * time.Hour
	listTestLease = time.Minute

	// missPause is the least time between two tests without a result that count: a moment in which
	// something fails costs a crowd of clients no more than one.
	missPause = 5 * time.Second
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
		passed := e.passed == 1 && e.missed == 0 && isWithin(t.now, e.testedAt, every)
		if passed || e.aside(t.now) > 0 || isWithin(t.now, e.claimedAt, listTestLease) {
			return false
		}
	}
	t.changeList(zone).claimedAt = t.now
	return true
}

// DropListTest ends the claim to a test without a result.
func (t *Tx) DropListTest(zone string) { t.changeList(zone).claimedAt = 0 }

// PassListTest notes that the list behaves, and is no longer set aside. It reports whether the list
// was, and has not passed a test since.
func (t *Tx) PassListTest(zone string) (isBack bool) {
	e := t.changeList(zone)
	isBack = e.why != [reasonSize]byte{}
	e.passed, e.testedAt = 1, t.now
	e.claimedAt, e.asideTill, e.failures, e.missed = 0, 0, 0, 0
	e.why = [reasonSize]byte{}
	return isBack
}

// MissListTest notes that a test has had no result, so that the next client's lookup may try again.
// It returns how often in a row that was so, and the list could have answered: if nobody did, that
// is not held against it.
func (t *Tx) MissListTest(zone string, blamed bool) (times int) {
	e := t.changeList(zone)
	e.claimedAt = 0
	switch {
	case e.missed == 0, blamed && e.missed < math.MaxUint8 &&
		!isWithin(t.now, e.testedAt, missPause):
		e.missed++
		e.testedAt = t.now
	}
	return int(e.missed)
}

// DoubtList has the list pass another test before it counts again, though it may be set aside.
func (t *Tx) DoubtList(zone string) {
	e := t.changeList(zone)
	e.passed, e.testedAt, e.claimedAt, e.asideTill = 0, 0, 0, 0
}

// RetestList has the next client's lookup test the list, which counts until the test fails.
func (t *Tx) RetestList(zone string) {
	e := t.changeList(zone)
	e.testedAt, e.claimedAt = 0, 0
}

// SetListAside notes that the list is not to be asked for that time, a day at most, and why. It has
// then to pass another test.
func (t *Tx) SetListAside(zone, why string, d time.Duration) {
	e := t.changeList(zone)
	e.passed, e.testedAt = 0, t.now
	e.claimedAt, e.failures, e.missed, e.inRow = 0, 0, 0, 0
	e.asideTill = t.now + max(0, min(d, longestAside)).Milliseconds()
	setWord(&e.why, why)
}

// ListAnswer is what came of asking a list about one address.
type ListAnswer uint8

const (
	NoListAnswer ListAnswer = iota // for which nobody is to blame: it was asked too late, or left
	Listed
	NotListed
	ListFailed // it has not answered, though others have
	Unheard    // DNS has answered nothing
)

// ListCounts are what CountList counts.
type ListCounts struct {
	Failures int           // without an answer in between
	InRow    int           // addresses listed in a row, 255 at most
	OfWindow int           // of the last window of addresses, listed; -1 = it is not full
	Unheard  time.Duration // for how long DNS had not answered before this answer
}

// CountList counts an answer. There is room for MaxLists answers in one Do.
func (t *Tx) CountList(zone string, a ListAnswer, window int) (c ListCounts) {
	e := t.changeList(zone)
	e.asked++
	c.OfWindow = -1
	switch a {
	case Unheard:
		if e.unheardAt <= 0 || e.unheardAt > t.now {
			e.unheardAt = t.now
		}
	case ListFailed:
		e.failed++
		e.failures = min(e.failures, math.MaxInt32-1) + 1
	case Listed, NotListed:
		e.count(a == Listed, window, &c)
	}
	if a != Unheard && a != NoListAnswer {
		c.Unheard = e.unheard(t.now)
		e.unheardAt = 0
	}
	c.Failures, c.InRow = int(e.failures), int(e.inRow)
	return c
}

// count counts an answer that says something about an address.
func (e *list) count(listed bool, window int, c *ListCounts) {
	e.failures = 0
	e.answers = min(e.answers, math.MaxInt32-1) + 1
	if listed {
		e.listed++
		e.hits++
		e.inRow = min(e.inRow, math.MaxUint8-1) + 1
	} else {
		e.inRow = 0
	}
	e.hits = min(e.hits, e.answers)
	if window > 0 && int(e.answers) >= window {
		c.OfWindow = min(int(e.hits), window)
		e.lastAnswers, e.lastHits = e.answers, e.hits
		e.answers, e.hits = 0, 0
	}
}

// unheard is for how long DNS has answered nothing.
func (e *list) unheard(now int64) time.Duration {
	if e.unheardAt <= 0 || e.unheardAt > now {
		return 0
	}
	return time.Duration(max(1, now-e.unheardAt)) * time.Millisecond
}

// behavior is the entry as others see it. Any of its bytes may have any value.
func (e *list) behavior(now int64) List {
	recent := uint64(e.lastAnswers) + uint64(e.answers)
	hits := min(uint64(e.lastHits)+uint64(e.hits), recent)
	return List{
		Asked: e.asked, Listed: e.listed, Failed: e.failed,
		Tested: e.passed == 1,
		Aside:  time.Duration(e.aside(now)) * time.Millisecond,
		Why:    wordIn(&e.why), Missed: int(e.missed), Unheard: e.unheard(now),
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
