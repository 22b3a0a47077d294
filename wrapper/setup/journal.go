package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/fileaccess"
)

// journal is the directory with the journal and copies of files.
type journal struct {
	dir string
	at  *os.File // the directory, locked
}

const (
	journalName = "journal"
	outputName  = "output" // of commands
)

// entry is a line of the journal: a step that has begun, or the goal in the first one.
type entry struct {
	Goal *Goal  `json:",omitempty"`
	What string `json:",omitempty"`
	Copy int    `json:",omitempty"` // the file's copies are Copy.old and Copy.new
	File *File  `json:",omitempty"` // without its text
	Do   string `json:",omitempty"`
	Undo string `json:",omitempty"`
}

// ErrRuns is that another setup is at work.
var ErrRuns = errors.New("another sendwrap setup runs; wait for its end")

// openJournal locks the directory, which it makes if it is to be made.
func openJournal(dir string, make bool) (*journal, error) {
	if make {
		err := os.MkdirAll(dir, 0o700)
		if err == nil {
			err = syncDir(dir)
		}
		if err != nil {
			return nil, err
		}
	}
	at, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	// Whoever can write there can have root run any command.
	if err = fileaccess.CheckPath(dir); err == nil {
		err = unix.Flock(int(at.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		at.Close()
		if err == unix.EWOULDBLOCK {
			err = ErrRuns
		}
		return nil, err
	}
	return &journal{dir, at}, nil
}

func (j *journal) close() { j.at.Close() }

func (j *journal) file(name string) string { return filepath.Join(j.dir, name) }

func (j *journal) copies(n int) (old, new string) {
	name := j.file(strconv.Itoa(n))
	return name + ".old", name + ".new"
}

// Started returns an error that says so if a Do in this directory has begun, and is not taken back.
func Started(dir string) error {
	_, err := os.Lstat(filepath.Join(dir, journalName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return errors.New("it was done before, or was interrupted; sendwrap setup -undo takes it back")
}

// remove ends the journal. What it says must not be done again even if the machine stops here.
func (j *journal) remove() error {
	if err := os.Remove(j.file(journalName)); err != nil {
		return err
	}
	if err := j.at.Sync(); err != nil {
		return err
	}
	return errors.Join(j.clear(), j.removeDir())
}

// removeDir removes the directory, unless others have files there.
func (j *journal) removeDir() error {
	if err := os.Remove(j.dir); !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	return nil
}

// append writes an entry, and returns when the disk has it.
func (j *journal) append(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(j.file(journalName),
		os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Sync(), f.Close(), j.at.Sync())
}

// entries reads the journal. The step of a last line without its end has not begun.
func (j *journal) entries() (all []entry, err error) {
	name := j.file(journalName)
	kept, err := readFile(name)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(kept.text) {
		var e entry
		if !strings.HasSuffix(line, "\n") {
			break
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("%s:%d: %w; the copies of files are beside it",
				name, len(all)+1, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// keepCopy writes the old and the new content of a file beside the journal. A file that does not
// exist has no old one.
func (j *journal) keepCopy(n int, f *File) error {
	oldName, newName := j.copies(n)
	old, found, err := f.present()
	if err == nil && found {
		err = writeNew(oldName, old)
	}
	if err != nil {
		return err
	}
	return writeNew(newName, content{text: f.Text, mode: 0o600})
}

// present reads the file. The error says so if its text is no longer what the plan has seen.
func (f *File) present() (c content, found bool, err error) {
	c, err = readFile(f.Name)
	found = err == nil
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return c, found, err
	} else if c.text != f.Old {
		return c, found, fmt.Errorf("%s: was changed meanwhile; type it again", f.Name)
	}
	return c, found, nil
}

// content is a file's text, and what becomes of a file that is written with it.
type content struct {
	text     string
	mode     uint32
	uid, gid int
}

// most is how long a file may be that setup changes, in bytes.
const most = 4 << 20

// readFile reads a regular file.
func readFile(name string) (c content, err error) {
	// O_NONBLOCK: an open of a FIFO would wait for a writer.
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return c, fmt.Errorf("%s: is a link; setup changes files only", name)
	} else if err != nil {
		return c, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return c, err
	}
	st, known := info.Sys().(*syscall.Stat_t)
	if !known || !info.Mode().IsRegular() || info.Size() > most {
		return c, fmt.Errorf("%s: is no file of at most %d bytes", name, most)
	}
	text := make([]byte, info.Size())
	if _, err = f.ReadAt(text, 0); len(text) > 0 && err != nil {
		return c, &os.PathError{Op: "read", Path: name, Err: err}
	}
	return content{string(text), st.Mode & 0o7777, int(st.Uid), int(st.Gid)}, nil
}

// writeNew writes a file that does not exist, and returns when the disk has its content.
func writeNew(name string, c content) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(c.text)
	if err == nil {
		err = f.Chown(c.uid, c.gid)
	}
	if err == nil { // after chown, which takes bits away
		err = unix.Fchmod(int(f.Fd()), c.mode)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// replace puts content in a file's place: at every moment, the old one or the new one is there,
// whole.
func replace(name string, c content) error {
	if err := removeNext(name); err != nil {
		return err
	}
	err := writeNew(next(name), c)
	if err == nil {
		err = os.Rename(next(name), name)
	}
	if err != nil {
		return errors.Join(err, removeNext(name))
	}
	return syncDir(name)
}

// next is where the new content of a file is written. No super-server and no MTA reads a file with
// such a name.
func next(name string) string {
	return filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".sendwrap")
}

// removeNext removes what an interrupted replace has left.
func removeNext(name string) error {
	err := os.Remove(next(name))
	if errors.Is(err, unix.EROFS) { // it says so whether there is such a file or not
		if _, missing := os.Lstat(next(name)); missing != nil {
			err = missing
		}
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// syncDir returns when the disk knows which files are beside name.
func syncDir(name string) error {
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
