package ledger

import "time"

// What was counted of late
//
// The totals say little about today. So they are kept from time to time, and what was counted since
// is the difference. Whoever counts a verdict first after a multiple of snapshotEvery keeps them.

const (
	snapshotEvery = 10 * 60 * 1000 // ms
	snapshots     = 8              // of 70 minutes, and the one that is being replaced
	recentTime    = 60 * 60 * 1000 // ms
)

// Recent is what was counted in the last hour, and up to ten minutes before.
type Recent struct {
	Since    time.Time // zero = not known yet
	Verdicts [Verdicts]uint64
}

// keepPast keeps the totals if it is time for that. They are in a page that no client needs
// otherwise, so the state says when.
func (t *Tx) keepPast() {
	s, p := t.state(), t.l.past
	if t.now < s.pastDue && s.pastDue <= t.now+snapshotEvery {
		return
	}
	at := t.now - t.now%snapshotEvery
	i := int(uint64(at) / snapshotEvery % snapshots)
	t.l.save(pastAt, 16)
	t.l.save(pastAt+16+i*len(bytesOf(&p.snapshots[i])), len(bytesOf(&p.snapshots[i])))
	verdicts := t.l.verdicts()
	if p.since <= 0 || p.since > t.now {
		p.since = t.now
		if verdicts == [Verdicts]uint64{} {
			p.countedAt = t.now
		}
	}
	p.snapshots[i] = snapshot{at, verdicts}
	s.pastDue = at + snapshotEvery
}

// PastDue says whether the next verdict should be counted under the lock, also where it need not
// be, so that the totals are kept. It takes no lock.
func (l *Ledger) PastDue(now Moment) (due bool) {
	l.withoutLock(func() { due = now.Boot.Milliseconds()+l.header.offset >= l.state.pastDue })
	return due
}

// verdicts are the sums of those counted with and without the lock.
func (l *Ledger) verdicts() (sums [Verdicts]uint64) {
	for i := range sums {
		sums[i] = l.totals.verdicts[i] + l.unlocked.verdicts[i].Load()
	}
	return sums
}

// addPast adds what is known of late, by ledger and wall clock at the last operation. Any byte of p
// may have any value.
func (n *Totals) addPast(p *past, now, tick, wallThen int64) {
	wall := func(ms int64) time.Time { return time.UnixMilli(wallThen + ms - tick) }
	if p.since <= 0 || p.since > now {
		return
	}
	if p.countedAt > 0 && p.countedAt <= now {
		n.Since = wall(p.countedAt)
	}
	// Nothing was counted between the end of one snapshot's ten minutes and the next snapshot: so
	// the first one after the beginning is as good as one at the beginning.
	begins := (now - recentTime) / snapshotEvery * snapshotEvery
	n.Recent.Since = wall(max(begins, p.since))
	first := snapshot{at: now + 1, verdicts: n.Verdicts}
	for _, s := range p.snapshots {
		if s.at >= begins && s.at < first.at {
			first = s
		}
	}
	for i := range n.Verdicts {
		if before := first.verdicts[i]; before < n.Verdicts[i] {
			n.Recent.Verdicts[i] = n.Verdicts[i] - before
		}
	}
}
