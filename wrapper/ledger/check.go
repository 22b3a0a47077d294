package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrUnseen says that the calling user may not look at the place of the ledger, so that nothing can
// be said about it.
var ErrUnseen = errors.New("run check as the user that sendwrap runs as")

// Check says why [Open] would refuse the ledger at path, or could not make one; nil if it would
// not. It changes nothing. The error is [ErrUnseen] if another user may be able to open it.
func Check(path string) error {
	name := filepath.Dir(path)
	dir, err := openDir(name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return checkMakeable(name)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; %w", err, ErrUnseen)
	case errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%w; name another place, such as /var/lib/sendwrap/ledger", err)
	case err != nil:
		return err
	}
	defer unix.Close(dir)
	l, err := openFile(dir, path, ThisBoot())
	_, bad := err.(*badFile)
	switch {
	case err == nil:
		return l.Close()
	case bad && !isOurs(dir):
		return leftAlone(err)
	case bad, errors.Is(err, os.ErrNotExist):
		return checkWritable(name)
	case errors.Is(err, os.ErrPermission), errors.Is(err, unix.EROFS):
		return notWritable(path, err)
	}
	return err
}

// checkMakeable says why the ledger's directory could not be made: its parent must exist.
func checkMakeable(dir string) error {
	parent := filepath.Dir(dir)
	info, err := os.Stat(parent)
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; %w", err, ErrUnseen)
	case err != nil || !info.IsDir():
		return fmt.Errorf("there is no directory %s; mkdir -p -m 0700 %s", parent, dir)
	}
	return checkWritable(parent)
}

func checkWritable(dir string) error {
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK, unix.AT_EACCESS); err != nil {
		return notWritable(dir, err)
	}
	return nil
}

// notWritable is the error of a name that cannot be written to. A user who is not root may lack
// access that sendwrap will have.
func notWritable(name string, err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	if errors.Is(err, os.ErrPermission) && unix.Geteuid() != 0 {
		return fmt.Errorf("%s: %w; %w", name, err, ErrUnseen)
	}
	return fmt.Errorf("%s cannot be written to: %w; name another place for the ledger", name, err)
}
