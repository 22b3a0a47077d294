package config

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
)

const maxDepth = 16 // includes within one another

// visit is a file that was met.
type visit struct {
	id      identity
	at      allowlist.Source // of its include
	reading bool             // it is not at its end yet
}

// include reads another file, named relative to the directory of the one that names it. What stands
// in one that cannot be read is not known.
func (l *loader) include(w words, at allowlist.Source) {
	if met, err := l.includeFile(w, at); err != nil {
		doubtful := l.index("include")
		if met {
			doubtful = -1
		}
		l.mistake(at, within("include", err), doubtful, nil)
	}
}

func (l *loader) includeFile(w words, at allowlist.Source) (met bool, err error) {
	if !w.next() {
		if w.err != nil {
			return false, w.err
		}
		return false, wrong("write include FILE", "no file")
	}
	path := w.word
	if w.next() {
		const hint = `write one include for each file, and "..." around a name with blanks`
		return false, wrong(hint, "%s is one word too many", quoted(w.word))
	}
	if w.err != nil {
		return false, w.err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(at.File), path)
	}
	if l.depth == maxDepth {
		return false, wrong("include it further up", "%d includes within one another", maxDepth)
	}
	l.depth++
	defer func() { l.depth-- }()
	return l.file(path, at)
}

// file reads one file. An error means that nothing of it was read; it was met before, perhaps.
func (l *loader) file(path string, at allowlist.Source) (met bool, err error) {
	f, err := openFile(path)
	if err != nil {
		return false, err
	}
	defer unix.Close(f.fd)
	if err := l.first(f); err != nil {
		return true, err
	}
	text, err := f.read()
	if err != nil {
		return false, err
	}
	i := len(l.files)
	l.files = append(l.files, visit{f.id, at, true})
	l.config.Files = append(l.config.Files, path)
	l.text(path, text)
	l.files[i].reading = false
	return false, nil
}

// first refuses a file that was read before: a second time would say nothing new, and
// includes in a loop would never end.
func (l *loader) first(f file) error {
	for _, v := range l.files {
		switch {
		case v.id != f.id:
		case v.reading:
			return inFile(f.path, wrong("remove this include", "is being read already, so this is a loop"))
		default:
			return inFile(f.path, wrong("keep one", "is included already at %s", v.at))
		}
	}
	return nil
}
