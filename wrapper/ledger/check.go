package ledger

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/fileaccess"
)

// errUnseen says that the calling user may not look at the place of the ledger, so that nothing can
// be said about it.
var errUnseen = errors.New("run check as the user that sendwrap runs as")

// Check says why [Open] would refuse the ledger at path, or could not make one; nil if it would
// not. It changes nothing. The error wraps errUnseen if another user may be able to open it.
func Check(path string) error {
	name := filepath.Dir(path)
	dir, err := openDir(name)
	switch {
	case errors.Is(err, unix.ENOENT):
		err := fileaccess.CheckMakeable(name, 0o700)
		if path := (*os.PathError)(nil); errors.As(err, &path) {
			return notWritable(filepath.Dir(name), err)
		}
		return err
	case errors.Is(err, os.ErrPermission):
		return explained(err.Error()+"; "+errUnseen.Error(), err, errUnseen)
	case errors.Is(err, unix.ENOTDIR):
		text := err.Error() + "; name another place, such as /var/lib/sendwrap/ledger"
		return explained(text, err)
	case err != nil:
		return err
	}
	defer unix.Close(dir)
	l, err := openFile(dir, path, LaterBoot())
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
		return explained(name+": "+err.Error()+"; "+errUnseen.Error(), err, errUnseen)
	}
	text := name + " cannot be written to: " + err.Error() + "; name another place for the ledger"
	return explained(text, err)
}
