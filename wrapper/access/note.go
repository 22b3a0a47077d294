package access

import (
	"errors"
	"io/fs"
	"os"
)

// Note is a remark on a line.
type Note struct {
	Line int    // 0 is the file as a whole
	Msg  string // what is wrong
	Hint string // what to write instead

	// LetsIn is set for a mistake in a line that may have let in clients which are now refused.
	LetsIn bool
}

// CheckDatabase notes a database beside the map that is older than the text. sendmail looks there,
// and sendwrap in the text. ok is false if there is nothing to note.
func CheckDatabase(path string) (n Note, ok bool) {
	text, err := os.Stat(path)
	if err != nil {
		return n, false
	}
	for _, made := range []struct{ kind, suffix string }{{"hash", ".db"}, {"cdb", ".cdb"}} {
		name := path + made.suffix
		db, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return Note{Msg: err.Error(), Hint: "let sendwrap look at it"}, true
		case db.ModTime().Before(text.ModTime()):
			return Note{
				Msg:  "is newer than " + name + ", which sendmail still follows",
				Hint: "makemap " + made.kind + " " + path + " <" + path,
			}, true
		}
	}
	return n, false
}
