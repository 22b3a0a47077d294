package config

import (
	"strings"

	"sendwrap/allowlist"
)

const maxLine = 64 << 10 // bytes

// bom is what some editors put before a text, and cat then between two.
const bom = "\ufeff"

// loader is one run over a file and those it includes.
type loader struct {
	config *Config
	table  []Directive        // a field and not the variable, since include, which is in it, leads back here
	setAt  []allowlist.Source // where the directive of that index was first met; Line 0: not yet
	args   []string           // of the directive at hand
	files  []visit            // all files met so far
	depth  int                // of includes
	errors errorList

	doubtful uint64 // bit i: the directive of that index is in doubt
}

// Load reads the file at path and those it includes, and puts their networks into
// networks, which must not be nil. Each must be a regular file of at most 16 MiB that only
// root or we can write.
//
// A nil Config comes with an *[Error]: the file cannot be read as a whole. A Config
// with an error is fit to be used: the error is a *multierror.Error of an *[Error] for each
// directive that was wrong, which was skipped, so that its default holds, or what [Directive].Doubt
// says. At most 1,000 are kept; one more then says how many others there were.
//
// The strings of the Config are cut out of the file's text and keep it in memory.
func Load(path string, networks *allowlist.List) (*Config, error) {
	l := &loader{
		config: Default(),
		table:  directives,
		setAt:  make([]allowlist.Source, len(directives)),
	}
	l.config.Networks, l.config.lines = networks, l.setAt
	if _, err := l.file(path, allowlist.Source{}); err != nil {
		return nil, err
	}
	l.settle()
	return l.config, l.errors.result(path)
}

// text reads the lines of one file.
func (l *loader) text(path, text string) {
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		at := allowlist.Source{File: path, Line: n}
		if len(line) > maxLine {
			err := wrong("write several lines", "line of %d bytes", len(line))
			l.mistake(at, err, l.meant(line), nil)
			continue
		}
		l.line(strings.TrimSuffix(strings.TrimPrefix(line, bom), "\r"), at)
	}
}

func (l *loader) line(line string, at allowlist.Source) {
	w := words{rest: line}
	if !w.next() {
		if w.err != nil {
			l.mistake(at, w.err, l.meant(line), nil)
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
			l.once(i, w, at)
			return
		}
	}
	meant := l.meant(line)
	l.mistake(at, l.unknown(w.word, meant), meant, strings.FieldsFunc(line, ends))
}

// once carries out a directive that is given once. A second one is an error even if
// the first was wrong: both need a look. If it says the same, nothing is in doubt.
func (l *loader) once(directive int, w words, at allowlist.Source) {
	d, first := &l.table[directive], &l.setAt[directive]
	l.args = l.args[:0]
	for w.next() {
		l.args = append(l.args, w.word)
	}
	if first.Line == 0 {
		*first = at
		if err := l.set(l.config, d, w.err); err != nil {
			l.mistake(at, within(d.Name, err), directive, l.args)
		}
		return
	}
	err := within(d.Name, wrong("keep one", "already set at %s", *first))
	if c := *l.config; l.set(&c, d, w.err) == nil && d.print(&c) == d.print(l.config) {
		directive = -1
	}
	l.mistake(at, err, directive, l.args)
}

// set sets the directive by the words at hand.
func (l *loader) set(c *Config, d *Directive, unread error) error {
	switch {
	case unread != nil:
		return unread
	case len(l.args) == 0, l.args[0] == "=" && len(l.args) == 1:
		return wrong("write "+d.Name+" "+d.Args, "no value")
	case l.args[0] == "=":
		return wrong("leave out the =", "= before the value")
	case d.most > 0 && len(l.args) > d.most:
		return wrong("write "+d.Name+" "+d.Args, "%s is one word too many", quoted(l.args[d.most]))
	}
	return d.set(c, l.args)
}

// unknown is about the first word of a line that was probably meant to be another, or no directive
// at all (-1).
func (l *loader) unknown(word string, meant int) *Error {
	if !l.errors.full() { // to find out more takes time
		if _, err := allowlist.ParseNetwork(word); err == nil {
			return wrong("write allow, deny or client before it", "%s stands alone", quoted(word))
		}
	}
	if meant < 0 {
		return wrong("remove it, or see sendwrap.conf(5)", "unknown directive %s", quoted(word))
	}
	name := l.table[meant].Name
	for _, sign := range []string{"=", ":"} {
		if value, assigned := strings.CutPrefix(word, name+sign); assigned && value != "" {
			return wrong("write "+name+" "+value, "%s is one word", quoted(word))
		}
	}
	return wrong("did you mean "+name+"?", "unknown directive %s", quoted(word))
}
