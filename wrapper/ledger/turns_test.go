package ledger

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// turnRole takes one of so many turns, says so, and keeps it until the parent has a word, or for as long as it lives: PATH, N.
// Meanwhile a program of its own runs, which outlives it.
func turnRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(args[1])
	release, err := l.Turn(n, lab.Patience)
	if err != nil {
		return err
	}
	program := exec.Command("/bin/sleep", "60")
	if err := program.Start(); err != nil {
		return err
	}
	fmt.Println(program.Process.Pid)
	waitForLine()
	release()
	fmt.Println("released")
	waitForLine()
	return nil
}

// turnsRole takes one of so many turns again and again, and says how often too many had one: PATH, N, TIMES.
func turnsRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	g, err := gate(args[0])
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(args[1])
	times, _ := strconv.Atoi(args[2])
	broken := 0
	for range times {
		release, err := l.Turn(n, time.Hour) // that of one that has bad luck on a slow machine
		if err != nil {
			return err
		}
		if g.Add(1) > uint64(n) {
			broken++
		}
		err = untilFree(func() error { return l.Do(Now(), func(t *Tx) { t.Count(1) }) })
		if err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
		g.Add(^uint64(0))
		release()
	}
	fmt.Println(broken)
	return nil
}

// However many want one, no more have their turn at a time, all get theirs, and the lock of the ledger is
// had as ever meanwhile.
func TestTurnsOfProcesses(t *testing.T) {
	const processes, times = 8, 30
	for _, n := range []int{1, 4} {
		l := newLedger(t, MinClients)
		var all []*child
		for range processes {
			all = append(all, start(t, "turns", ledgerPath(t, l), fmt.Sprint(n), fmt.Sprint(times)))
		}
		for _, c := range all {
			if broken := c.line(t); broken != "0" {
				t.Errorf("%s times more than %d had their turn", broken, n)
			}
			if err := c.end(); err != nil {
				t.Error(err)
			}
		}
		if got := l.totals.verdicts[1]; got != processes*times {
			t.Errorf("%d turns; want %d", got, processes*times)
		}
	}
}

// The same for goroutines of one process with one Ledger.
func TestTurnsOfGoroutines(t *testing.T) {
	const n, goroutines, times = 3, 12, 15
	l := newLedger(t, MinClients)
	var wg sync.WaitGroup
	var now, had atomic.Int64
	for range goroutines {
		wg.Go(func() {
			for range times {
				release, err := l.Turn(n, time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				if now.Add(1) > n {
					t.Error("too many have their turn")
				}
				time.Sleep(time.Millisecond)
				had.Add(1)
				now.Add(-1)
				release()
				release() // not another's
			}
		})
	}
	wg.Wait()
	if got := had.Load(); got != goroutines*times {
		t.Errorf("%d turns; want %d", got, goroutines*times)
	}
	if fds := countOpen(t, filepath.Dir(ledgerPath(t, l))); fds != 1 {
		t.Errorf("%d files are open; want the ledger alone", fds)
	}
}

// holders are as many processes that have their turn.
func holders(t *testing.T, l *Ledger, n int) (all []*child) {
	t.Helper()
	for range n {
		c := start(t, "turn", ledgerPath(t, l), fmt.Sprint(n))
		pid, err := strconv.Atoi(c.line(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Kill(pid, unix.SIGKILL) })
		all = append(all, c)
	}
	return all
}

// The turn of one that is killed, or releases it, is free at once, though the program that it has started lives on; that
// of one that is stopped is not.
func TestTurnsOfTheKilled(t *testing.T) {
	const n = 3
	l := newLedger(t, MinClients)
	all := holders(t, l, n)
	checkNoTurn(t, l, n, 150*time.Millisecond)
	all[0].signal(t, unix.SIGSTOP)
	checkNoTurn(t, l, n, 10*time.Millisecond)
	for i, end := range []func(){
		func() { _ = all[0].kill() },
		func() { _ = all[1].kill() },
		func() { all[2].tell(t, "release"); all[2].line(t) },
	} {
		end()
		release, err := l.Turn(n, 0)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		defer release() // it is kept
		checkNoTurn(t, l, n, 0)
	}
}

// One that waits gets the turn soon after it has come free, and not before.
func TestTurnsWaitedFor(t *testing.T) {
	l := newLedger(t, MinClients)
	lab.InTime(t, "a turn that has come free", longestTurnPause+10*time.Millisecond, func(w *lab.Waits) {
		for range 5 {
			release, err := l.Turn(1, 0)
			if err != nil {
				t.Fatal(err)
			}
			had, over := make(chan time.Time), make(chan bool)
			go func() {
				defer close(over)
				release, err := l.Turn(1, lab.Patience)
				had <- time.Now()
				if err == nil {
					release()
				}
			}()
			time.Sleep(6 * longestTurnPause) // until its pauses are as long as they get
			free := time.Now()
			release()
			took := (<-had).Sub(free)
			if took < 0 {
				t.Fatalf("another had the turn %v before it came free", -took)
			}
			<-over
			w.Add(took, lab.Lateness())
		}
	})
}

// checkNoTurn fails the test unless it takes that long, and not much longer, to learn that there is no turn.
func checkNoTurn(t *testing.T, l *Ledger, n int, patience time.Duration) {
	t.Helper()
	checkWaits(t, "a turn not to be had", patience, patience+longestTurnPause, func() error {
		_, err := l.Turn(n, patience)
		return err
	}, ErrNoTurn)
}

// Neither lock knows of the other: with all turns taken the ledger is at hand, with its lock taken turns are, and who gives back
// a turn in the midst of work has the lock still.
func TestTurnsAndTheLock(t *testing.T) {
	l := newLedger(t, MinClients)
	path := ledgerPath(t, l)
	other, _ := mustOpen(t, path, MinClients)
	release, err := l.Turn(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	atOnce(t, other)
	must(t, l, func(tx *Tx) {
		checkNoTurn(t, other, 1, 0)
		release()
		again, err := other.Turn(1, 0)
		if err != nil {
			t.Errorf("a turn while another works: %v", err)
		} else {
			again()
		}
		if err := flock(other.fd, unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
			t.Errorf("the lock of one at work: %v; want that it is held", err)
		}
		if pid := flockedBy(l.fd); pid != unix.Getpid() {
			t.Errorf("the lock is process %d's; want ours", pid)
		}
	})
	c := start(t, "stop", "work", path)
	c.untilStopped(t)
	if release, err := l.Turn(1, 0); err != nil {
		t.Errorf("a turn while one at work is stopped: %v", err)
	} else {
		release()
	}
}

// A turn given back twice takes nothing from whoever has its descriptor by then.
func TestTurnsReleasedTwice(t *testing.T) {
	l := newLedger(t, MinClients)
	release, err := l.Turn(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	release()
	another, err := l.Turn(1, 0) // with the lowest descriptor that is free
	if err != nil {
		t.Fatal(err)
	}
	defer another()
	release()
	checkNoTurn(t, l, 1, 0)
}

// What is not the ledger's file gives no turns, and is left as it is.
func TestTurnsWithoutAFile(t *testing.T) {
	for name, do := range map[string]func(path string) error{
		"removed": os.Remove,
		"a symbolic link in its place": func(path string) error {
			return errors.Join(os.Rename(path, path+".away"), os.Symlink(path+".away", path))
		},
		"a directory in its place": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		l := newLedger(t, MinClients)
		path := ledgerPath(t, l)
		if err := do(path); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Turn(1, time.Second); err == nil || errors.Is(err, ErrNoTurn) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l := newLedger(t, MinClients)
	for _, n := range []int{0, -1} {
		checkNoTurn(t, l, n, 10*time.Millisecond)
	}
	if fds := countOpen(t, filepath.Dir(ledgerPath(t, l))); fds != 1 {
		t.Errorf("%d files are open; want the ledger alone", fds)
	}
}
