package ledger

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Refused says why [Open] would leave the file at path as it is, and do without a ledger; nil if it
// would use the file, or put another in its place. It changes nothing.
func Refused(path string) error {
	dir, err := openDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	l, err := open(dir, path, ThisBoot())
	if err == nil {
		return l.Close()
	}
	if _, bad := err.(*badFile); bad {
		if ours(dir) {
			return nil
		}
		return strange(err)
	}
	return err
}

// OpenAsIs maps the ledger at path for somebody who only looks at it, and takes one of any size.
// Unlike [Open] it makes no ledger, and sets none aside.
//
// The error is [os.ErrNotExist] if there is none. One that is damaged, or of another version, is an
// error, too, and left as it is; so is all that Open refuses.
func OpenAsIs(path string, boot Boot) (*Ledger, error) {
	if _, err := os.Lstat(path); err != nil { // before openDir, which would make the directory
		return nil, err
	}
	dir, err := openDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	l, err := open(dir, path, boot)
	if err != nil {
		return nil, err
	}
	if l.version != version {
		_ = l.Close()
		return nil, fmt.Errorf("%s: is a ledger of version %d, which the next client's process carries over",
			path, l.version)
	}
	return l, nil
}
