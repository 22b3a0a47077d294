package admin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/ledger"
)

// errUnseen says that we may not look at the place of the ledger, so that nothing can be said about
// it.
var errUnseen = errors.New("run check as the user that sendwrap runs as")

// examine says why [ledger.Open] could not use or make a ledger at path: of what it would refuse,
// all that can be seen without making anything. It looks as the user who we are.
func examine(path string) error {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return makeable(dir)
	}
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; %w", err, errUnseen)
	case err != nil:
		return fmt.Errorf("%w; name a place for it, such as /var/lib/sendwrap/ledger", err)
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory; name a place in one", dir)
	}
	if err := private(dir, info, 0o022, "put the ledger in a directory of its own, mode 0700"); err != nil {
		return err
	}
	file, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return writable(dir)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; %w", err, errUnseen)
	case err != nil:
		return fmt.Errorf("%w; name another place for the ledger", err)
	case !file.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file; name another place for the ledger", path)
	}
	if err := private(path, file, 0o077, "if it is the ledger, chmod 0600 it, else name another place"); err != nil {
		return err
	}
	if err := writable(path); err != nil {
		return err
	}
	return ledger.Refused(path)
}

// makeable says why the ledger's directory could not be made: only the last one may be missing.
func makeable(dir string) error {
	parent := filepath.Dir(dir)
	info, err := os.Stat(parent)
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; %w", err, errUnseen)
	case err != nil || !info.IsDir():
		return fmt.Errorf("there is no directory %s; mkdir -p -m 0700 %s", parent, dir)
	}
	return writable(parent)
}

// private says why others could be at what only root and we may have.
func private(name string, info os.FileInfo, bits os.FileMode, cure string) error {
	if st, is := info.Sys().(*syscall.Stat_t); is && st.Uid != 0 && int(st.Uid) != unix.Geteuid() {
		return fmt.Errorf("%s belongs to uid %d; chown it to root, or run check as that user", name, st.Uid)
	}
	if info.Mode().Perm()&bits != 0 {
		return fmt.Errorf("%s: mode %#o lets others in; %s", name, info.Mode().Perm(), cure)
	}
	return nil
}

// writable says why name cannot be written to. Who is not root may not be who has to.
func writable(name string) error {
	err := unix.Faccessat(unix.AT_FDCWD, name, unix.W_OK, unix.AT_EACCESS)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrPermission) && unix.Geteuid() != 0:
		return fmt.Errorf("%s: %w; %w", name, err, errUnseen)
	}
	return fmt.Errorf("%s cannot be written to: %w; name another place for the ledger", name, err)
}
