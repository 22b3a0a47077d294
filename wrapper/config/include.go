package config

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

const maxDepth = 16 // nested includes

// fileSeen is a file that was opened.
type fileSeen struct {
	id      identity
	at      rule.Source // of its include
	reading bool        // until its end
}

// include reads another file. Its name is relative to the directory of the file that includes it.
// The contents of a file that cannot be read are unknown, so refusals become lenient.
func (l *loader) include(w words, at rule.Source) {
	if seen, err := l.includeFile(w, at); err != nil {
		directive := l.index("include")
		if seen {
			directive = -1
		}
		l.reject(at, prefixError("include", err), directive, nil)
	}
}

func (l *loader) includeFile(w words, at rule.Source) (seen bool, err error) {
	if !w.next() {
		if w.err != nil {
			return false, w.err
		}
		return false, newError("write include FILE", "no file")
	}
	path := w.word
	if w.next() {
		const hint = `write one include for each file, and "..." around a name with blanks`
		return false, newError(hint, "%s is one word too many", quoted(w.word))
	}
	if w.err != nil {
		return false, w.err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(at.File), path)
	}
	if l.depth == maxDepth {
		return false, newError("include it from a file further up", "more than %d nested includes",
			maxDepth)
	}
	l.depth++
	defer func() { l.depth-- }()
	return l.file(path, at)
}

// file reads one file. An error means that nothing of it was read. seen reports that it was read
// before.
func (l *loader) file(path string, at rule.Source) (seen bool, err error) {
	f, err := l.open(path)
	if err != nil {
		return false, err
	}
	defer unix.Close(f.fd)
	if err := l.checkNew(f); err != nil {
		return true, err
	}
	text, err := l.read(f)
	if err != nil {
		return false, err
	}
	if err := checkText(path, text); err != nil {
		return false, err
	}
	i := len(l.files)
	l.files = append(l.files, fileSeen{f.id, at, true})
	l.config.Files = append(l.config.Files, path)
	l.text(path, text)
	l.files[i].reading = false
	return false, nil
}

// open opens a file, which is a source from now on.
func (l *loader) open(path string) (file, error) {
	f, err := openFile(path)
	l.config.Sources = append(l.config.Sources, policy.Source{Path: path, Stamp: f.stamp})
	return f, err
}

// read returns the text of the file that was opened last.
func (l *loader) read(f file) (string, error) {
	text, err := f.read()
	if err != nil {
		last := len(l.config.Sources) - 1
		l.config.Sources[last].Stamp = policy.Stamp{Err: unix.EIO} // which no file has
	}
	return text, err
}

// checkNew refuses a file that was read before: it would say nothing new, and a loop of includes
// would never end.
func (l *loader) checkNew(f file) error {
	for _, seen := range l.files {
		switch {
		case seen.id != f.id:
		case seen.reading:
			return inFile(f.path, newError("remove this include", "includes itself, in a loop"))
		default:
			return inFile(f.path, newError("keep one", "is already included at %s", seen.at))
		}
	}
	return nil
}
