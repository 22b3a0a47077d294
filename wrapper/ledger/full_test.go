package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// diskFullRole is alone in a mount namespace with a disk of its own: DIRECTORY to mount it on.
func diskFullRole(args []string) error {
	dir := args[0]
	path := filepath.Join(dir, "ledger")
	size := geometryFor(MinClients).size()
	mount := func(flags uintptr, bytes int) error {
		return unix.Mount("none", dir, "tmpfs", flags, fmt.Sprintf("mode=700,size=%d", bytes))
	}
	if err := errors.Join(privateMounts(), mount(0, size/2)); err != nil {
		return err
	}
	if err := refusesToBegin(path, unix.ENOSPC); err != nil {
		return err
	}
	// A file of the right size that is nothing but a hole, as a careless copy might make it, on a
	// full disk.
	if err := os.WriteFile(path+".sparse", nil, 0o600); err != nil {
		return err
	}
	if err := errors.Join(mount(unix.MS_REMOUNT, size+8*page), becomesLedger(path)); err != nil {
		return err
	}
	return holeOnFullDisk(path)
}

// refusesToBegin checks that no ledger can be made, that Open says why, and that nothing is left of
// the attempt.
func refusesToBegin(path string, want error) error {
	for range 3 {
		_, _, err := Open(path, MinClients, ThisBoot())
		var perr *os.PathError
		if !errors.Is(err, want) || !errors.As(err, &perr) || perr.Path != path {
			return fmt.Errorf("a ledger without room: %v; want %v", err, want)
		}
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(entries) > 0 {
			return fmt.Errorf("left behind: %v, %v", entries, err)
		}
	}
	return nil
}

// becomesLedger checks that one can be made now.
func becomesLedger(path string) error {
	l, notes, err := Open(path, MinClients, ThisBoot())
	if err != nil || len(notes) > 0 {
		return fmt.Errorf("with room: %v, %q", err, notes)
	}
	defer l.Close()
	err = l.Do(Now(), func(t *Tx) {
		t.Enter(from(hostN(1)), Self())
		err = audit(l)
	})
	return err
}

// holeOnFullDisk checks that a ledger that is not fully allocated costs an error when the disk is
// full, not a process.
func holeOnFullDisk(path string) error {
	if err := os.Remove(path + ".sparse"); err != nil {
		return err
	}
	image := make([]byte, page)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if _, err := f.ReadAt(image, 0); err != nil {
		return err
	}
	size := geometryFor(MinClients).size()
	err = errors.Join(f.Close(), os.Remove(path), os.WriteFile(path, image, 0o600),
		os.Truncate(path, int64(size)))
	if err != nil {
		return err
	}
	l, notes, err := Open(path, MinClients, ThisBoot())
	if err != nil || len(notes) > 0 {
		return fmt.Errorf("a ledger with a hole: %v, %q", err, notes)
	}
	filler, err := os.Create(filepath.Join(filepath.Dir(path), "filler"))
	if err != nil {
		return err
	}
	for err == nil {
		_, err = filler.Write(image)
	}
	if !errors.Is(err, unix.ENOSPC) {
		return err
	}
	if err := l.Do(Now(), func(t *Tx) { t.Enter(from(hostN(1)), Self()) }); err != ErrLost {
		return fmt.Errorf("work in a hole on a full disk: %v; want ErrLost", err)
	}
	return nil
}

// On a full disk there is no ledger and a clear reason. When there is room again there is one.
func TestFullDisk(t *testing.T) {
	lab.NeedRoot(t)
	dir := ownDir(t)
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if err := startAs(t, thisProgram, attr, nil, "diskfull", dir).end(); err != nil {
		t.Error(err)
	}
}

// sizeLimitRole may not write files as large as a ledger: LEDGER. There is a signal for that too,
// SIGXFSZ.
func sizeLimitRole(args []string) error {
	size := uint64(geometryFor(MinClients).size())
	for _, limit := range []uint64{0, page, size - 1} {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE,
			&unix.Rlimit{Cur: limit, Max: 4 * size}); err != nil {
			return err
		}
		if err := refusesToBegin(args[0], unix.EFBIG); err != nil {
			return err
		}
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE,
		&unix.Rlimit{Cur: size, Max: 4 * size}); err != nil {
		return err
	}
	return becomesLedger(args[0])
}

// The same if the process may not write files of that size.
func TestFullBySizeLimit(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	if err := start(t, "sizelim", path).end(); err != nil {
		t.Error(err)
	}
	mustOpen(t, path, MinClients)
}
