package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// promised is by how much a stopped process may delay another (promise Stop).
const promised = 50 * time.Millisecond

// stopRole stops itself during its work, and again while it builds: PATH.
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
	err = untilFree(func() error {
		return l.Do(Now(), func(t *Tx) {
			t.Enter(from(hostN(1)), Self())
			t.Strike(networkN(2), "first", 1, threeStrikes)
			raise(unix.SIGSTOP)
			t.Strike(networkN(2), "second", 1, threeStrikes)
			t.Count(5)
		})
	})
	if err != nil {
		return err
	}
	fmt.Println("done")
	waitForLine()
	return nil
}

// withoutBell is a copy of the file without what waiting processes write.
func withoutBell(image []byte) []byte {
	image = bytes.Clone(image)
	at := bellAt
	if len(image) > page && view[header](image, 0).version < withLookups {
		at = undo3At + bellAt - undoAt
	}
	if len(image) > at {
		clear(image[at : at+8])
	}
	return image
}

// A process that is stopped during its work delays others only that long, and its work is complete
// when it goes on.
func TestStopInTheMidstOfWork(t *testing.T) {
	l := newLedger(t, MinClients)
	populate(t, l, Now(), Self())
	path := ledgerPath(t, l)
	c := start(t, "stop", "work", path)
	c.untilStopped(t)

	before := withoutBell(l.mem)
	checkWaits(t, "work", Patience, promised, func() error {
		return l.Do(Now(), func(*Tx) { t.Error("worked without the lock") })
	}, ErrBusy)
	if !bytes.Equal(before, withoutBell(l.mem)) {
		t.Error("one that did not get the lock has changed something")
	}
	checkWaits(t, "opening", 0, promised, func() error {
		l, _, err := Open(path, MinClients, ThisBoot())
		if err == nil {
			shut(l)
		}
		return err
	}, nil)

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

const rivalWaits = 3

// rivalRole works without a pause until it has found the ledger held three times, and prints how
// long each took and how late the machine was then. Then it waits for the parent's word to go on:
// LEDGER.
func rivalRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	for {
		fmt.Println("ready")
		for busy := 0; busy < rivalWaits; {
			began := time.Now()
			switch err := l.Do(Now(), func(t *Tx) { t.Count(1) }); {
			// How long the lock takes to get depends on the crowd.
			case err == nil, err == ErrCrowded:
			case errors.Is(err, ErrBusy):
				fmt.Println(int64(time.Since(began)), int64(lab.Lateness()))
				busy++
			default:
				return err
			}
		}
		waitForLine()
	}
}

// A stopped process does not delay those longer that had to queue for the ledger before.
func TestStopInACrowd(t *testing.T) {
	l := newLedger(t, MinClients)
	path, program := ledgerPath(t, l), plainProgram(t)
	var rivals []*child
	for range 6 {
		rivals = append(rivals, startAs(t, program, nil, nil, "rival", path))
	}
	lab.InTime(t, "rivals", promised, func(w *lab.Waits) {
		for _, c := range rivals {
			c.line(t)
		}
		stopped := start(t, "stop", "work", path)
		stopped.untilStopped(t)
		for n := range rivalWaits * len(rivals) {
			c := rivals[n%len(rivals)]
			var took, late time.Duration
			if _, err := fmt.Sscan(c.line(t), (*int64)(&took), (*int64)(&late)); err != nil {
				t.Fatal(err)
			}
			w.Add(took, late)
		}
		_ = stopped.kill()
		for _, c := range rivals {
			c.tell(t, "go on")
		}
	})
}

// The holder of the lock is found among however many other locks on the machine.
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
		if pid := flockHolder(l.fd); pid != unix.Getpid() {
			t.Errorf("the lock is process %d's; want ours, %d", pid, unix.Getpid())
		}
	})
}

// A process that is killed while it is stopped releases the lock, and its work is undone.
func TestStopThenKill(t *testing.T) {
	l := newLedger(t, MinClients)
	populate(t, l, Now(), Self())
	before := content(l)
	c := start(t, "stop", "work", ledgerPath(t, l))
	c.untilStopped(t)
	if err := c.kill(); err == nil {
		t.Fatal("the child ended by itself")
	}
	atOnce(t, l)
	if found := content(l); !bytes.Equal(found, before) {
		t.Error(difference(before, found))
	}
}

// A process that is stopped while it makes the file delays others no longer than any other.
func TestStopInTheMidstOfBuilding(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	c := start(t, "stop", "build", path)
	c.untilStopped(t)
	checkWaits(t, "opening", Patience, promised, func() error {
		_, _, err := Open(path, MinClients, ThisBoot())
		return err
	}, ErrBusy)
	c.signal(t, unix.SIGCONT)
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
	l, _ := mustOpen(t, path, MinClients)
	mustAudit(t, l)
}
