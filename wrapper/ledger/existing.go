package ledger

import (
	"errors"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Processes that look at a ledger and make none.

// openExisting maps the ledger at path, whatever its size, for a process that only reads it. It
// changes nothing on disk. The error is [os.ErrNotExist] if there is no file.
func openExisting(path string, boot Boot) (*Ledger, error) {
	return openExistingAs(path, boot, openFlags)
}

// OpenReadOnly maps the ledger for a process that may read the file, but not write to it: the
// kernel sees to that. Of the methods only those work that take no lock: Report, Records,
// CountNetworks, Lists, CountLookups, Blocks, Rooms, HasRoom, Replaced, Close. What a process that
// was killed has left half done may be among what they return, until another process uses the
// ledger.
//
// The errors are those of [Handle.OpenExisting].
func OpenReadOnly(path string) (*Ledger, error) {
	return openExistingAs(path, LaterBoot(), readFlags)
}

func openExistingAs(path string, boot Boot, flags int) (*Ledger, error) {
	dir, err := openDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	l, err := openFileAs(dir, path, boot, flags)
	if err != nil {
		return nil, err
	}
	if l.version != version {
		_ = l.Close()
		return nil, errors.New(path + ": is a ledger of version " + decimal(l.version) +
			", which the next client's process carries over")
	}
	return l, nil
}
