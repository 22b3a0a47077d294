package resolve

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// descriptors is how many this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// blackHole is a server that reads nothing.
func blackHole(t *testing.T) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// 2,000 clients ask three lists each, and the server is dead. Sockets, memory and work are bounded,
// and every question has its end.
func TestCrowdWithDeadServer(t *testing.T) {
	const all = 6000
	l := resolverFor(t, blackHole(t))
	l.source.list.timeout = 100 * time.Millisecond
	before := descriptors(t)
	memory := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	heap := memory()
	until := time.Now().Add(time.Second)
	ended, early, most := 0, 0, 0
	for range all {
		l.Ask(Question{"2.0.0.127.zen.example.org", A}, until, func(a Answer) {
			ended++
			if a.Result != NoAnswer {
				t.Errorf("an answer of a dead server: %+v", a)
			}
		})
	}
	if grown := memory() - heap; grown > all*1024 {
		t.Errorf("%d bytes for each question", grown/all)
	} else {
		t.Logf("%d bytes for each question", grown/all)
	}
	l.run(func() bool {
		most = max(most, descriptors(t)-before)
		if sends := l.calls.sends; sends > 2*l.calls.sockets {
			t.Fatalf("%d messages by %d sockets", sends, l.calls.sockets)
		}
		if ended < all && len(l.due) == 0 {
			early++
		}
		return ended == all || early > 0
	})
	l.idle()
	if early > 0 {
		t.Error("questions are forgotten")
	}
	if most > maxSockets+1 || len(l.open) != maxSockets {
		t.Errorf("%d descriptors, %d slots", most, len(l.open))
	}
	// Each Handle asks the kernel once for events; no socket is read in vain.
	if c := l.calls; c.reads != 0 || c.waits != l.handled || c.sockets > all {
		t.Errorf("%d calls of Handle: %+v", l.handled, c)
	}
	t.Logf("%d calls of Handle: %+v", l.handled, l.calls)
	l.Close()
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors are left", n-before)
	}
}

// Of those that have to wait for a socket the newest is asked first.
func TestCrowdNewestFirst(t *testing.T) {
	s := serve(t, "127.0.0.1", false, listed)
	l := resolver(t, s).patiently()
	const all = 3 * maxSockets
	var answered int
	for i := range all {
		name := []string{"a.example", "c.example", "b.example"}[i/maxSockets]
		l.Ask(Question{name, A}, awhile(), func(a Answer) {
			answered++
			if a.Result != Found {
				t.Errorf("got %+v", a)
			}
		})
	}
	// The server's buffer may be too small for all at once.
	l.source.list.timeout = time.Millisecond
	for _, q := range slices.Clone(l.due) {
		q.until = awhile()
		q.round = -1 << 30
		if q.slot >= 0 {
			l.setDue(q, time.Now())
		}
	}
	l.run(func() bool { return answered == all })
	l.idle()
	last := byte('a')
	for _, q := range s.queries() {
		name := q.Question[0].Name[0]
		if name > last+1 {
			t.Fatalf("%c is asked after %c", name, last)
		}
		last = max(last, name)
	}
}

// Without descriptors questions wait, and are asked when there are some; nothing spins meanwhile.
func TestNoDescriptors(t *testing.T) {
	s := serve(t, "127.0.0.1", false, listed)
	l := resolver(t, s).patiently()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	set := func(n int) {
		t.Helper()
		to := limit
		to.Cur = min(limit.Cur, uint64(n))
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &to); err != nil {
			t.Fatal(err)
		}
	}
	defer set(1 << 20)
	// allow lets the process have n descriptors more; others may be open above them.
	allow := func(n int) {
		t.Helper()
		set(1 << 20)
		var next []int
		for range n + 1 {
			fd, err := unix.Dup(0)
			if err != nil {
				t.Fatal(err)
			}
			next = append(next, fd)
		}
		for _, fd := range next {
			unix.Close(fd)
		}
		set(next[n])
	}
	for n := range 3 { // none, one for the epoll, one more for one socket at a time
		allow(n)
		answered := 0
		for range 3 {
			l.Ask(Question{"a.example", A}, awhile(), func(a Answer) {
				if a.Result == Found {
					answered++
				}
			})
		}
		due := l.Due()
		if wait := time.Until(due); due.IsZero() || wait > retryPause {
			t.Errorf("%d descriptors: due in %v", n, wait)
		}
		if n < 2 {
			calls := l.calls
			l.retry = awhile()
			for range 10 {
				l.Handle()
			}
			if l.calls.sockets != calls.sockets || answered > 0 {
				t.Errorf("%d descriptors: %+v, %+v before", n, l.calls, calls)
			}
			l.retry = time.Now()
			l.Handle()
			if (l.FD() >= 0) != (n == 1) {
				t.Errorf("%d descriptors: FD %d", n, l.FD())
			}
			set(1 << 20)
		}
		l.run(func() bool { return answered == 3 })
		l.idle()
		l.Close()
	}
}

// The timetable against a sorted list.
func TestTimetable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Now()
	at := func() time.Time { return start.Add(time.Duration(random.IntN(1000))) }
	for range 50 {
		var table timetable
		var all []*Query
		for range 500 {
			switch op := random.IntN(4); {
			case op < 2 || len(all) == 0:
				q := &Query{due: at()}
				all = append(all, q)
				table.add(q)
			case op == 2:
				i := random.IntN(len(all))
				table.remove(all[i])
				if all[i].index != -1 {
					t.Fatal("removed, and has an index")
				}
				all = slices.Delete(all, i, i+1)
			default:
				q := all[random.IntN(len(all))]
				q.due = at()
				table.fix(q)
			}
			if len(all) == 0 {
				continue
			}
			first := slices.MinFunc(all, func(a, b *Query) int { return a.due.Compare(b.due) })
			if !table.first().Equal(first.due) || len(table) != len(all) {
				t.Fatalf("the first of %d is %v, want %v", len(table), table.first(), first.due)
			}
		}
		slices.SortFunc(all, func(a, b *Query) int { return a.due.Compare(b.due) })
		for _, q := range all {
			if !table.head().due.Equal(q.due) {
				t.Fatal("not in order")
			}
			table.remove(table.head())
		}
	}
}

// Where there are few descriptors, most are for others.
func TestFewDescriptors(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 200
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &before) }()
	l := resolver(t, serve(t, "127.0.0.1", false, nil))
	for range 200 {
		l.Ask(Question{"a.example", A}, awhile(), func(Answer) {})
	}
	if n := len(l.open); n != 25 {
		t.Errorf("%d sockets; want an eighth of 200 descriptors", n)
	}
}
