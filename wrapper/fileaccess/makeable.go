package fileaccess

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// CheckMakeable returns why a missing directory could not be made with this mode; nil if it could.
// Its parent must exist. The error is an [*os.PathError] if we may not write there.
func CheckMakeable(dir string, mode os.FileMode) error {
	parent := filepath.Dir(dir)
	info, err := os.Stat(parent)
	if err != nil && !errors.Is(err, fs.ErrPermission) || err == nil && !info.IsDir() {
		return errors.New("there is no directory " + parent +
			"; mkdir -p -m " + octal(uint32(mode)) + " " + dir)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, parent, unix.W_OK, unix.AT_EACCESS); err != nil {
		return &os.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return nil
}
