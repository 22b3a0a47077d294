package setup

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// A file on a read-only file system cannot be written, and so needs no way back.
func TestReadOnly(t *testing.T) {
	lab.NeedRoot(t)
	s := newSite(t)
	dir, name := s.file("ro"), s.file("ro/conf")
	t.Cleanup(func() { _ = unix.Unmount(dir, 0) })
	if err := errors.Join(os.Mkdir(dir, 0o700), unix.Mount("tmpfs", dir, "tmpfs", 0, ""),
		os.WriteFile(name, []byte("old"), 0o600),
		unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")); err != nil {
		t.Fatal(err)
	}
	p := &Plan{Steps: []Step{{File: &File{Name: name, Old: "old", Text: "new"}}}}
	err := p.Do(s.journal(), new(strings.Builder))
	if err == nil || !strings.HasSuffix(err.Error(), "everything is as before") {
		t.Errorf("%v; want that everything is as before", err)
	}
}
