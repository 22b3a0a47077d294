package ledger

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// filled makes a ledger of the default size that knows n clients.
func filled(path string, n int) (*Ledger, error) {
	l, _, err := Open(path, 65536, ThisBoot())
	for i := 0; err == nil && i < n; {
		err = l.Do(Now(), func(t *Tx) {
			for range 10 {
				t.Remember(networkN(i), time.Hour)
				t.checkpoint()
				i++
			}
		})
	}
	return l, err
}

// greeted is the n-th arrival under the default limits, and ledgerWork everything that is done
// about it: one operation when the client comes, one at the end of the delay.
func greeted(n int) Arrival {
	a := from(hostN(n))
	a.Limits = Limits{Serving: 300, Waiting: 1000, Conns: 50, Rate: 100, Per: time.Minute}
	return a
}

func ledgerWork(l *Ledger, a Arrival, self Process) error {
	var s Session
	if err := l.Do(Now(), func(t *Tx) {
		t.Look(a)
		s, _ = t.Enter(a, self)
	}); err != nil {
		return err
	}
	return l.Do(Now(), func(t *Tx) {
		t.Look(a)
		t.Serve(s)
		t.Leave(s)
		t.Count(9)
	})
}

// arrival is everything that a process does with the ledger, opening included.
func arrival(path string, n int) error { return arrivalOf(path, greeted(n)) }

func arrivalOf(path string, a Arrival) error {
	l, _, err := Open(path, 65536, LaterBoot())
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	return ledgerWork(l, a, Self())
}

// arrivalFloor is the least that any program must ask of the kernel for that: the same files
// looked at, opened, read and mapped, as many pages touched, the lock taken twice.
func arrivalFloor(path string) error {
	var st unix.Stat_t
	_ = unix.Stat(filepath.Dir(path), &st)
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_ = unix.Fstat(fd, &st)
	m, err := mapFile(fd, int(st.Size))
	if err != nil {
		return err
	}
	var text [512]byte
	readFile(fmt.Sprintf("/proc/%d/stat", os.Getpid()), text[:])
	for range 2 {
		_ = lockFloor(fd)
	}
	for _, at := range []int{0, page, lateAt, bitmapAt, bitmapAt + page, len(m) - page,
		len(m) / 2} {
		m[at+page-1]++
	}
	_ = m.unmap()
	return unix.Close(fd)
}

func lockFloor(fd int) error {
	if err := flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	return flock(fd, unix.LOCK_UN)
}

// median is the median duration of work.
func median(n int, work func(i int) error) (time.Duration, error) {
	all := make([]time.Duration, n)
	for i := range all {
		began := time.Now()
		if err := work(i); err != nil {
			return 0, err
		}
		all[i] = time.Since(began)
	}
	return middle(all), nil
}

// middle is the median. It sorts all.
func middle[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

// costs are medians, with 10 and with 60,000 clients in the ledger.
type costs struct {
	arrivalFloor, lockFloor      time.Duration
	arrival10, arrival60k        time.Duration
	do10, do60k, work10, work60k time.Duration
}

// measure alternates between all, so that other load on the machine affects each of them.
func measure(dir string, rounds int) (c costs, err error) {
	few, many, floor := filepath.Join(dir, "few"), filepath.Join(dir, "many"),
		filepath.Join(dir, "floor")
	l10, err := filled(few, 10)
	if err != nil {
		return c, err
	}
	l60k, err := filled(many, 60_000)
	if err != nil {
		return c, err
	}
	if _, err = filled(floor, 10); err != nil {
		return c, err
	}
	self := Self()
	one := func(l *Ledger, n int) func(int) error {
		return func(i int) error {
			a := greeted(i * 7 % n)
			return l.Do(Now(), func(t *Tx) { t.Look(a); t.Count(2) })
		}
	}
	whole := func(l *Ledger, n int) func(int) error {
		return func(i int) error { return ledgerWork(l, greeted(i*7%n), self) }
	}
	whats := []struct {
		median *time.Duration
		times  int
		work   func(i int) error
	}{
		{&c.arrivalFloor, 50, func(int) error { return arrivalFloor(floor) }},
		{&c.arrival10, 50, func(i int) error { return arrival(few, i*7%10) }},
		{&c.arrival60k, 50, func(i int) error { return arrival(many, i*7%60_000) }},
		{&c.lockFloor, 200, func(int) error { return lockFloor(l10.fd) }},
		{&c.do10, 200, one(l10, 10)},
		{&c.do60k, 200, one(l60k, 60_000)},
		{&c.work10, 200, whole(l10, 10)},
		{&c.work60k, 200, whole(l60k, 60_000)},
	}
	all := make([][]time.Duration, len(whats))
	for range rounds {
		for i, what := range whats {
			d, err := median(what.times, what.work)
			if err != nil {
				return c, err
			}
			all[i] = append(all[i], d)
		}
	}
	for i, what := range whats {
		*what.median = middle(all[i])
	}
	return c, nil
}

// BenchmarkCosts prints medians: everything that an arrival does with the ledger, one look on an
// open ledger, and the two operations of an arrival on an open ledger; for 10 and for 60,000
// clients.
func BenchmarkCosts(b *testing.B) {
	var c costs
	for b.Loop() {
		var err error
		if c, err = measure(b.TempDir(), 41); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(0, "ns/op")
	for name, d := range map[string]time.Duration{
		"arrival-floor-ns": c.arrivalFloor, "arrival-10-ns": c.arrival10,
		"arrival-60000-ns": c.arrival60k,
		"lock-floor-ns":    c.lockFloor, "do-10-ns": c.do10, "do-60000-ns": c.do60k,
		"works-10-ns": c.work10, "works-60000-ns": c.work60k,
	} {
		b.ReportMetric(float64(d), name)
	}
}

// BenchmarkBlocksSince is asking for new blocks when there are none; beside it the bare lock.
func BenchmarkBlocksSince(b *testing.B) {
	l := newLedger(b, MinClients)
	_, since, _ := l.BlocksSince(0)
	b.Run("asking", func(b *testing.B) {
		for b.Loop() {
			l.BlocksSince(since)
		}
	})
	b.Run("lock", func(b *testing.B) {
		for b.Loop() {
			if err := lockFloor(l.fd); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPlace is the cost of a new record that replaces another: in a ledger full of clients
// from all over the world, and in one full of an attacker's from one network. Beside it, one in an
// empty ledger.
func BenchmarkPlace(b *testing.B) {
	for _, name := range []string{"everywhere", "one 48", "empty"} {
		network := origins[name]
		l, _, err := Open(filepath.Join(ownDir(b), "ledger"), 16384, ThisBoot())
		if err != nil {
			b.Fatal(err)
		}
		if network == nil {
			network = honest
		} else if err := each(l, Now(), 0, 65536, network, visit); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			n, k, began := 0, key{}, cpuTime()
			for b.Loop() {
				_ = l.Do(Now(), func(t *Tx) {
					for range 1000 {
						k = keyOf(network(n))
						n++
						t.leastImportant(k, importance{rank: live})
					}
				})
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(cpuTime()-began)/float64(n), "cpu-ns/newcomer")
		})
	}
}

// cpuTime is the processor time of this process.
func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
