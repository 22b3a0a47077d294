package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// readers is a group that may read ledgers.
const readers = 4343

// sharedDir is a directory as an administrator makes it for such a group, which others may reach.
func sharedDir(t *testing.T) string {
	t.Helper()
	lab.NeedRoot(t)
	top, err := os.MkdirTemp("/tmp", "ledger")
	dir := filepath.Join(top, "state")
	if err == nil {
		err = errors.Join(os.Chmod(top, 0o711), os.Mkdir(dir, 0o700), os.Chown(dir, 0, readers),
			unix.Chmod(dir, 0o2750))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	return dir
}

// In a directory of mode 2750 the group may read each ledger, whatever the umask is, also one that
// is rebuilt or takes the place of a damaged one.
func TestGroupReads(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077} {
		path := filepath.Join(sharedDir(t), "ledger")
		check := func(when string) {
			t.Helper()
			var st unix.Stat_t
			if err := unix.Stat(path, &st); err != nil || st.Mode != unix.S_IFREG|0o640 ||
				st.Uid != 0 || st.Gid != readers {
				t.Errorf("umask %#o, %s: mode %#o, gid %d, %v", mask, when, st.Mode, st.Gid, err)
			}
		}
		open := func(clients int) {
			t.Helper()
			old := unix.Umask(mask)
			defer unix.Umask(old)
			mustOpen(t, path, clients)
		}
		open(MinClients)
		check("made")
		open(MinClients)
		check("opened")
		open(2 * MinClients)
		check("rebuilt")
		if err := os.WriteFile(path, []byte("not a ledger"), 0o640); err != nil {
			t.Fatal(err)
		}
		open(MinClients)
		check("made again")
		if err := Check(path); err != nil {
			t.Error(err)
		}
	}
}

// readRole reads a ledger without the right to write: LEDGER. It says how it went.
func readRole(args []string) error {
	l, err := OpenReadOnly(args[0])
	if err != nil {
		return err
	}
	defer l.Close()
	n, _, err := l.Report(Now())
	fmt.Printf("%d networks, %v\n", n.Clients, err)
	if _, _, err := Open(args[0], MinClients, ThisBoot()); err == nil {
		return errors.New("it may write")
	}
	return nil
}

// A user of the group can read the ledger and not write it; another can do neither. Without that
// mode of the directory nobody else can.
func TestGroupMember(t *testing.T) {
	shared := filepath.Join(sharedDir(t), "ledger")
	private := filepath.Join(filepath.Dir(shared), "private", "ledger")
	if err := os.Mkdir(filepath.Dir(private), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Chmod(filepath.Dir(private), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{shared, private} {
		l, _ := mustOpen(t, path, MinClients)
		if err := l.Do(Now(), func(tx *Tx) { tx.Count(1) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		path  string
		group uint32
		ok    bool
	}{{shared, readers, true}, {shared, 4444, false}, {private, readers, false}} {
		attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4242, Gid: 4242,
			Groups: []uint32{tt.group}}}
		err := startAs(t, thisProgram, attr, nil, "read", tt.path).end()
		if (err == nil) != tt.ok {
			t.Errorf("%s, group %d: %v", tt.path, tt.group, err)
		}
	}
}

// A group may read, and nothing else; others may not even do that.
func TestGroupRefusals(t *testing.T) {
	for mode, want := range map[uint32]string{
		0o640: "", 0o660: "lets others in", 0o650: "lets others in", 0o644: "lets others in",
	} {
		path := filepath.Join(ownDir(t), "ledger")
		l, _ := mustOpen(t, path, MinClients)
		if err := errors.Join(l.Close(), unix.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		l, _, err := Open(path, MinClients, ThisBoot())
		if err == nil {
			shut(l)
		}
		if want == "" && err != nil || want != "" && (err == nil ||
			!strings.Contains(err.Error(), want)) {
			t.Errorf("%#o: %v; want %q", mode, err, want)
		}
	}
	for mode, want := range map[uint32]os.FileMode{0o2755: 0o600, 0o750: 0o600, 0o2700: 0o600} {
		dir := ownDir(t)
		path := filepath.Join(dir, "ledger")
		if err := unix.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, path, MinClients)
		if st, err := os.Stat(path); err != nil || st.Mode() != want {
			t.Errorf("in a directory of mode %#o: %v, %v", mode, st.Mode(), err)
		}
	}
}
