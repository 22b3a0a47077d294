package config

import (
	"strings"

	"sendwrap/allowlist"
)

const maxLine = 64 << 10 // bytes

// loader is one run over a file and those it includes.
type loader struct {
	config *Config
	table  []Directive        // a field and not the variable, since include, which is in it, leads back here
	setAt  []allowlist.Source // where the directive of that index was first met; Line 0: not yet
	args   []string           // of the directive at hand
	files  []visit            // all files met so far
	depth  int                // of includes
	errors errorList
}

// Load reads the file at path and those it includes, and puts their networks into
// networks, which must not be nil. Each must be a regular file of at most 16 MiB that only
// root or we can write.
//
// A nil Config comes with an *[Error]: the file cannot be read as a whole. A Config
// with an error is fit to be used: the error is a *multierror.Error of an *[Error] for each
// directive that was wrong, which was skipped, so that its default holds. At most 1,000 are
// kept; one more then says how many others there were.
//
// The strings of the Config are cut out of the file's text and keep it in memory.
func Load(path string, networks *allowlist.List) (*Config, error) {
	l := &loader{
		config: Default(),
		table:  directives,
		setAt:  make([]allowlist.Source, len(directives)),
	}
	l.config.Networks = networks
	if err := l.file(path, allowlist.Source{}); err != nil {
		return nil, err
	}
	return l.config, l.errors.result(path)
}

// text reads the lines of one file.
func (l *loader) text(path, text string) {
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		at := allowlist.Source{File: path, Line: n}
		if len(line) > maxLine {
			l.errors.add(at, wrong("write several lines", "line of %d bytes", len(line)))
			continue
		}
		l.line(strings.TrimSuffix(line, "\r"), at)
	}
}

func (l *loader) line(line string, at allowlist.Source) {
	w := words{rest: line}
	if !w.next() {
		if w.err != nil {
			l.errors.add(at, w.err)
		}
		return
	}
	for i := range l.table {
		d := &l.table[i]
		switch {
		case d.Name != w.word:
		case d.list != nil:
			d.list(l, w, at)
			return
		default:
			if err := l.once(d, &l.setAt[i], w, at); err != nil {
				l.errors.add(at, within(d.Name, err))
			}
			return
		}
	}
	if !l.errors.full() { // to find out what was meant takes time
		l.errors.add(at, l.unknown(w.word))
	}
}

// once carries out a directive that is given once. A second one is an error even if
// the first was wrong: both need a look.
func (l *loader) once(d *Directive, first *allowlist.Source, w words, at allowlist.Source) error {
	if first.Line > 0 {
		return wrong("keep one", "already set at %s", *first)
	}
	*first = at
	l.args = l.args[:0]
	for w.next() {
		l.args = append(l.args, w.word)
	}
	switch {
	case w.err != nil:
		return w.err
	case len(l.args) == 0:
		return wrong("write "+d.Name+" "+d.Args, "no value")
	case l.args[0] == "=":
		return wrong("leave out the =", "= before the value")
	case d.most > 0 && len(l.args) > d.most:
		return wrong("write "+d.Name+" "+d.Args, "%s is one word too many", quoted(l.args[d.most]))
	}
	return d.set(l.config, l.args)
}

func (l *loader) unknown(word string) *Error {
	name, value, assigned := strings.Cut(word, "=")
	var names []string
	for i := range l.table {
		names = append(names, l.table[i].Name)
		if assigned && name == l.table[i].Name {
			return wrong("write "+name+" "+value, "%s is one word", quoted(word))
		}
	}
	if meant := nearest(name, names); meant != "" {
		return wrong("did you mean "+meant+"?", "unknown directive %s", quoted(word))
	}
	return wrong("remove it, or see sendwrap.conf(5)", "unknown directive %s", quoted(word))
}
