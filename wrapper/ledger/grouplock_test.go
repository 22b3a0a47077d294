package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// holdRole takes each lock that whoever may read a file can have, and holds it: FILE.
func holdRole(args []string) error {
	fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
	if err == nil {
		all := unix.Flock_t{Type: unix.F_RDLCK}
		err = errors.Join(unix.Flock(fd, unix.LOCK_EX), unix.FcntlFlock(uintptr(fd),
			unix.F_OFD_SETLK, &all))
	}
	if err != nil {
		return err
	}
	fmt.Println("held")
	waitForLine()
	return nil
}

// startHolder has a member of the group hold the locks of a file.
func startHolder(t *testing.T, path string) *child {
	t.Helper()
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4242, Gid: 4242,
		Groups: []uint32{readers}}}
	c := startAs(t, thisProgram, attr, nil, "hold", path)
	if got := c.line(t); got != "held" {
		t.Fatalf("the member of the group says %q", got)
	}
	return c
}

// A member of the group that may read a ledger keeps nobody from it, whether it holds its locks or
// is stopped then.
func TestGroupHoldsNoLock(t *testing.T) {
	path := filepath.Join(sharedDir(t), "ledger")
	l, _ := mustOpen(t, path, MinClients)
	holder := startHolder(t, path)
	holder.signal(t, unix.SIGSTOP)
	other, _ := mustOpen(t, path, MinClients)
	for _, l := range []*Ledger{l, other} {
		if err := l.Do(Now(), func(tx *Tx) { tx.Count(1) }); err != nil {
			t.Error(err)
		}
	}
	if n := l.totals.verdicts[1]; n != 2 {
		t.Errorf("%d counted; want 2", n)
	}
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4242, Gid: 4242,
		Groups: []uint32{readers}}}
	if startAs(t, thisProgram, attr, nil, "hold", path+".lock").end() == nil {
		t.Error("the group can open what the ledger is locked by")
	}
}

// Two processes exclude each other by the other file, too.
func TestLockBesideExcludes(t *testing.T) {
	path := filepath.Join(sharedDir(t), "ledger")
	l, _ := mustOpen(t, path, MinClients)
	other, _ := mustOpen(t, path, MinClients)
	other.CrowdPatience = time.Millisecond
	must(t, l, func(*Tx) {
		if err := other.Do(Now(), func(*Tx) {}); !errors.Is(err, ErrCrowded) {
			t.Errorf("beside another process: %v", err)
		}
	})
}

// A ledger that a group was let into is made again with what it had, once, and processes that have
// the one before find out. If its directory says nothing of a group, it is root's alone again.
func TestGroupLetIn(t *testing.T) {
	for mode, want := range map[uint32]uint32{0o2750: 0o640, 0o700: 0o600} {
		dir := sharedDir(t)
		path := filepath.Join(dir, "ledger")
		if err := unix.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		l, _ := mustOpen(t, path, MinClients)
		must(t, l, func(tx *Tx) { tx.Count(1) })
		err := errors.Join(unix.Chmod(dir, mode), os.Chown(path, 0, readers),
			unix.Chmod(path, 0o640))
		if err != nil {
			t.Fatal(err)
		}
		again, notes := mustOpen(t, path, MinClients)
		if len(notes) != 1 || !strings.Contains(notes[0], "a group could") || !l.Replaced() {
			t.Errorf("%#o: %q, replaced: %v", mode, notes, l.Replaced())
		}
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil || st.Mode&0o777 != want ||
			again.totals.verdicts[1] != 1 {
			t.Errorf("%#o: mode %#o, %v, counted %d", mode, st.Mode, err, again.totals.verdicts[1])
		}
		if _, notes := mustOpen(t, path, MinClients); len(notes) > 0 || again.Replaced() {
			t.Errorf("%#o: made again twice: %q", mode, notes)
		}
	}
}

// What the ledger is locked by must be a file that nobody else can open.
func TestLockBesideIsPrivate(t *testing.T) {
	instead := func(replace func(name string) error) func(string) error {
		return func(name string) error { return errors.Join(os.Remove(name), replace(name)) }
	}
	for want, damage := range map[string]func(name string) error{
		"lets others in":      func(name string) error { return unix.Chmod(name, 0o640) },
		"belongs to uid 4242": func(name string) error { return os.Chown(name, 4242, 0) },
		"is a directory":      instead(func(name string) error { return os.Mkdir(name, 0o700) }),
		"symbolic links":      instead(func(name string) error { return os.Symlink("x", name) }),
		"is not a regular file": instead(func(name string) error {
			return unix.Mkfifo(name, 0o600)
		}),
	} {
		path := filepath.Join(sharedDir(t), "ledger")
		mustOpen(t, path, MinClients)
		if err := damage(path + ".lock"); err != nil {
			t.Fatal(err)
		}
		l, _, err := Open(path, MinClients, ThisBoot())
		if err == nil {
			shut(l)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
