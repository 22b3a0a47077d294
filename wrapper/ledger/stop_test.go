package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promised is what another process may be delayed by one that stands still (promise 2).
const promised = 50 * time.Millisecond

// stopRole stops itself in the midst of its work, and again while it builds: PATH.
func stopRole(args []string) error {
	if args[0] == "build" {
		// What a builder stopped between any two of its steps looks like to others.
		dir, err := openDir(filepath.Dir(args[1]))
		if err != nil {
			return err
		}
		if _, err := lockNew(dir, args[1]+".new"); err != nil {
			return err
		}
		raise(unix.SIGSTOP)
		return nil
	}
	l, _, err := Open(args[1], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	err = l.Do(Now(), func(t *Tx) {
		t.Enter(from(hostN(1)), Self())
		t.Strike(networkN(2), "first", threeStrikes)
		raise(unix.SIGSTOP)
		t.Strike(networkN(2), "second", threeStrikes)
		t.Count(5)
	})
	if err != nil {
		return err
	}
	fmt.Println("done")
	waitForLine()
	return nil
}

// lateness is how much too long a sleep of Patience takes here and now, at worst of five.
func lateness() (late time.Duration) {
	for range 5 {
		began := time.Now()
		time.Sleep(Patience)
		late = max(late, time.Since(began)-Patience)
	}
	return late
}

// delays measures how long each of n pieces of work keeps its caller, and that each ends with ErrBusy.
func delays(t *testing.T, n int, work func() error) []time.Duration {
	t.Helper()
	var all []time.Duration
	for range n {
		began := time.Now()
		err := work()
		all = append(all, time.Since(began))
		if !errors.Is(err, ErrBusy) {
			t.Fatalf("while another process is stopped: %v; want ErrBusy", err)
		}
	}
	slices.Sort(all)
	return all
}

// checkDelays allows for what this machine adds to any wait of that length just now, and for one slow moment.
func checkDelays(t *testing.T, all []time.Duration) {
	t.Helper()
	median, worst := all[len(all)/2], all[len(all)-1]
	late := lateness()
	t.Logf("delayed by %v (median), %v (worst); a sleep is late by %v", median, worst, late)
	if median > promised+2*late || worst > 2*promised+4*late {
		t.Errorf("delayed by %v (median), %v (worst); want %v at most", median, worst, promised)
	}
	if all[0] < Patience/2 {
		t.Errorf("gave up after %v, which a busy disk would exceed", all[0])
	}
}

// A process stopped in the midst of its work delays others only so long, and its work is whole when it goes on.
func TestStopInTheMidstOfWork(t *testing.T) {
	l := newLedger(t, MinClients)
	furnish(t, l, Now(), Self())
	path := ledgerPath(t, l)
	c := start(t, "stop", "work", path)
	c.untilStopped(t)

	before := bytes.Clone(l.mem)
	checkDelays(t, delays(t, 20, func() error {
		return l.Do(Now(), func(*Tx) { t.Error("worked without the lock") })
	}))
	if !bytes.Equal(before, l.mem) {
		t.Error("one that did not get the lock has changed something")
	}
	within(t, promised, "opening", func() {
		l, _, err := Open(path, MinClients, ThisBoot())
		if err != nil {
			t.Fatal(err)
		}
		shut(l)
	})

	c.signal(t, unix.SIGCONT)
	if got := c.line(t); got != "done" {
		t.Fatalf("the stopped process says %q", got)
	}
	s := look(t, l, from(hostN(2)))
	if s.Strikes != 2 || l.totals.verdicts[5] != 1 || look(t, l, from(hostN(1))).Conns != 4 {
		t.Errorf("the work of the stopped process is not whole: %+v", s)
	}
	mustAudit(t, l)
}

// rivalRole works without a pause until the parent has a word, and says how many found the ledger held, and how
// long it has taken at worst to find that out: LEDGER.
func rivalRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var worst time.Duration
	busy := 0
	for input := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}}; ; {
		if n, _ := unix.Poll(input, 0); n > 0 {
			break
		}
		began := time.Now()
		err := l.Do(Now(), func(t *Tx) { t.Count(1) })
		switch err {
		case nil, ErrCrowded: // how long a turn takes to come is the crowd's affair
		case ErrBusy:
			worst = max(worst, time.Since(began))
			busy++
		default:
			return err
		}
	}
	fmt.Println(int64(worst), busy)
	return nil
}

// Nor does a stopped process delay those longer who had to queue for the ledger before.
func TestStopInACrowd(t *testing.T) {
	l := newLedger(t, MinClients)
	path, program := ledgerPath(t, l), plainProgram(t)
	var rivals []*child
	for range 6 {
		rivals = append(rivals, startAs(t, program, nil, nil, "rival", path))
	}
	for _, c := range rivals {
		c.line(t)
	}
	c := start(t, "stop", "work", path)
	c.untilStopped(t)
	time.Sleep(300 * time.Millisecond)
	var worst []time.Duration
	for _, c := range rivals {
		c.tell(t, "enough")
	}
	for _, c := range rivals {
		var d time.Duration
		var busy int
		if _, err := fmt.Sscan(c.line(t), (*int64)(&d), &busy); err != nil || busy < 3 {
			t.Fatalf("ErrBusy %d times in 300 ms, %v", busy, err)
		}
		worst = append(worst, d)
	}
	slices.Sort(worst)
	checkDelays(t, worst)
}

// One that only sleeps with the lock in its hand, for a page from a disk say, is given twice as long.
func TestStopIsNotSleep(t *testing.T) {
	l := newLedger(t, MinClients)
	path := ledgerPath(t, l)
	sleeping, awake := make(chan bool), make(chan error)
	for _, tt := range []struct {
		sleep time.Duration
		want  error
	}{{Patience * 3 / 2, nil}, {20 * Patience, ErrBusy}} {
		go func() {
			awake <- l.Do(Now(), func(*Tx) {
				sleeping <- true
				ts := unix.NsecToTimespec(int64(tt.sleep))
				_ = unix.Nanosleep(&ts, nil)
			})
		}()
		other, _ := mustOpen(t, path, MinClients)
		<-sleeping
		began := time.Now()
		err := other.Do(Now(), func(*Tx) {})
		if took := time.Since(began); err != tt.want || took < Patience || took > 10*Patience {
			t.Errorf("asleep for %v: after %v another gets %v; want %v", tt.sleep, took, err, tt.want)
		}
		if err := <-awake; err != nil {
			t.Error(err)
		}
	}
}

// Who has the lock is found among however many other locks there are on the machine.
func TestStopAmongManyLocks(t *testing.T) {
	l := newLedger(t, MinClients)
	path := ledgerPath(t, l)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer pinTogether(unix.Gettid())() // the kernel keeps a list for each processor
	must(t, l, func(*Tx) {
		for range 300 {
			f, err := os.Open(filepath.Dir(path))
			if err == nil {
				err = unix.Flock(int(f.Fd()), unix.LOCK_SH)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
		}
		if pid := flockedBy(l.fd); pid != unix.Getpid() {
			t.Errorf("the lock is process %d's; want ours, %d", pid, unix.Getpid())
		}
	})
}

// A process killed while it is stopped gives the lock back, and what it did is undone.
func TestStopThenKill(t *testing.T) {
	l := newLedger(t, MinClients)
	furnish(t, l, Now(), Self())
	before := content(l)
	c := start(t, "stop", "work", ledgerPath(t, l))
	c.untilStopped(t)
	if err := c.kill(); err == nil {
		t.Fatal("the child ended by itself")
	}
	within(t, Patience, "work after the stopped process was killed", func() { must(t, l, func(*Tx) {}) })
	if is := content(l); !bytes.Equal(is, before) {
		t.Error(difference(before, is))
	}
}

// A process stopped while it makes the file delays others no longer.
func TestStopInTheMidstOfBuilding(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	c := start(t, "stop", "build", path)
	c.untilStopped(t)
	checkDelays(t, delays(t, 10, func() error {
		_, _, err := Open(path, MinClients, ThisBoot())
		return err
	}))
	c.signal(t, unix.SIGCONT)
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
	l, _ := mustOpen(t, path, MinClients)
	mustAudit(t, l)
}
