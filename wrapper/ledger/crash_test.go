package ledger

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// copyFile copies a ledger's file.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// populated makes a populated ledger in boot 1 and returns its path and its contents.
func populated(t *testing.T, now Moment) (path string, before []byte) {
	t.Helper()
	path = filepath.Join(ownDir(t), "ledger")
	l, _, err := Open(path, MinClients, bootN(1))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	populate(t, l, now, Self())
	return path, content(l)
}

// done is the ledger's contents after the operation, and which pages the operation has changed.
func done(t *testing.T, path string, boot int, now Moment, do func(*Tx)) (after []byte,
	pages map[int]bool) {
	t.Helper()
	copyFile(t, path, path+".done")
	l, _, err := Open(path+".done", MinClients, bootN(boot))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := append([]byte(nil), l.mem...)
	mustAt(t, l, now, do)
	if err := audit(l); err != nil {
		t.Fatalf("uninterrupted: %v", err)
	}
	pages = map[int]bool{}
	for at := 0; at < len(before); at += page {
		if !bytes.Equal(before[at:at+page], l.mem[at:at+page]) {
			pages[at] = true
		}
	}
	return content(l), pages
}

// A process that is killed at any instruction of any operation has done it completely or not at
// all.
func TestCrashAtEveryInstruction(t *testing.T) {
	program := plainProgram(t)
	for _, d := range operations() {
		t.Run(d.name, func(t *testing.T) {
			now := Now()
			path, before := populated(t, now)
			after, pages := done(t, path, 1, now, d.do)
			dir := ownDir(t)
			committed := false
			s := newStepper(t, program, path, d.name, 1, now, pages)
			n, states := s.run(t, func(image []byte) {
				l := crashed(t, dir, image, 1)
				defer l.Close()
				mustAt(t, l, now, func(*Tx) {})
				switch found := content(l); {
				case bytes.Equal(found, after):
					committed = true
				case d.inParts:
				case committed:
					t.Fatal("what was done is undone")
				case !bytes.Equal(found, before):
					t.Fatalf("half done: %s", difference(before, found))
				}
				if err := audit(l); err != nil {
					t.Fatal(err)
				}
			})
			if d.name != "nothing" && !committed {
				t.Error("never done")
			}
			t.Logf("%d instructions, %d states of the file", n, states)
		})
	}
}

// difference says where two contents differ.
func difference(want, found []byte) string {
	for at := range want {
		if want[at] != found[at] {
			return fmt.Sprintf("byte %d (page %d) is %#x, was %#x", at, at/page, found[at],
				want[at])
		}
	}
	return "nothing"
}

// A process that cleans up after a crash may crash too.
func TestCrashDuringRollback(t *testing.T) {
	now := Now()
	path, before := populated(t, now)
	l, _, err := Open(path, MinClients, bootN(1))
	if err != nil {
		t.Fatal(err)
	}
	var broken []byte // as a kill at the last instruction of the work leaves it
	mustAt(t, l, now, func(tx *Tx) {
		operationNamed("a whole connection").do(tx)
		broken = append(broken, l.mem...)
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	_, pages := done(t, path, 1, now, func(*Tx) {})
	dir := ownDir(t)
	s := newStepper(t, plainProgram(t), path, "nothing", 1, now, pages)
	n, states := s.run(t, func(image []byte) {
		l := crashed(t, dir, image, 1)
		defer l.Close()
		mustAt(t, l, now, func(*Tx) {})
		if found := content(l); !bytes.Equal(found, before) {
			t.Fatalf("half undone: %s", difference(before, found))
		}
	})
	t.Logf("%d instructions, %d states of the file", n, states)
}

// A new boot begins with many changes outside the undo log.
func TestCrashAsABootBegins(t *testing.T) {
	now := Now()
	path, _ := populated(t, now)
	reboot := Moment{10 * time.Second, now.Wall.Add(2 * time.Minute)} // two minutes away
	look := func(l *Ledger) (s Standing) {
		mustAt(t, l, reboot, func(tx *Tx) { s = tx.Look(from(hostN(blockedN))) })
		return s
	}
	_, pages := done(t, path, 2, reboot, func(*Tx) {})
	dir := ownDir(t)
	s := newStepper(t, plainProgram(t), path, "nothing", 2, reboot, pages)
	n, states := s.run(t, func(image []byte) {
		l := crashed(t, dir, image, 2)
		defer l.Close()
		got := look(l)
		if want := 8 * time.Minute; got.BlockLeft != want {
			t.Fatalf("after a crash the block has %v left; want %v", got.BlockLeft, want)
		}
		if got.Waiting != 0 || got.Serving != 0 {
			t.Fatalf("after a crash there are sessions of the boot before: %+v", got)
		}
		if err := audit(l); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%d instructions, %d states of the file", n, states)
}

// crashRole does four operations in one Do, as far as there are as many before the K-th, and kills
// itself: PATH, K. The undo log has no room for all of them.
func crashRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	k, _ := strconv.Atoi(args[1])
	all := slices.DeleteFunc(operations(), func(d operation) bool { return d.inParts })
	k = min(k, len(all))
	return l.Do(Now(), func(t *Tx) {
		for _, d := range all[max(0, k-4):k] {
			d.do(t)
		}
		raise(unix.SIGKILL)
	})
}

// A process that kills itself between any two of its operations leaves everything as it was, and
// the lock free.
func TestCrashBetweenOperations(t *testing.T) {
	l := newLedger(t, MinClients)
	populate(t, l, Now(), Self())
	before := content(l)
	path := ledgerPath(t, l)
	for k := range len(operations()) {
		c := start(t, "crash", path, fmt.Sprint(k))
		if err := c.end(); err == nil || err.Error() != "signal: killed" {
			t.Fatalf("the child was to kill itself after operation %d: %v", k, err)
		}
		atOnce(t, l)
		if found := content(l); !bytes.Equal(found, before) {
			t.Fatalf("killed after %d operations: %s", k, difference(before, found))
		}
	}
	mustAudit(t, l)
}

// ledgerPath is the path of the ledger's file.
func ledgerPath(t testing.TB, l *Ledger) string {
	t.Helper()
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", l.fd))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
