package config

import (
	"net/netip"
	"slices"
	"strings"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
)

const maxLine = 64 << 10 // bytes

// bom is the byte order mark that some editors put at the beginning of a file.
const bom = "\ufeff"

// loader reads a file and those that it includes.
type loader struct {
	config  *Config
	into    Networks
	table   []directive   // directives; as a variable it would be an initialization cycle
	setAt   []rule.Source // the first line of each directive; Line 0 = none yet
	args    []string      // of the current line
	files   []fileSeen    // in the order of their beginnings
	depth   int           // of includes
	wides   []wideLine    // at most policy.MaxWide
	errors  errorList
	lenient uint64 // bit i: directive i gets its lenient value
}

// Networks takes what the lines say about networks and names: an *allowlist.List, or the collector
// of package compile. Its errors are those of [allowlist.List].
type Networks interface {
	SetAccess(network netip.Prefix, a rule.Access, src rule.Source) error
	SetLimits(network netip.Prefix, limits rule.Limits, src rule.Source) error
	SetNameAccess(name string, a rule.Access, src rule.Source) error
	SetNameLimits(name string, limits rule.Limits, src rule.Source) error
}

// Load reads the file at path and those that it includes, and adds their networks and names to
// networks, which must not be nil. Each file must be a regular one of at most 16 MiB that only root
// or our own user can write.
//
// If the file as a whole cannot be read, the Config is nil, and the error an *[Error]. Otherwise
// the Config can be used, even with an error. The error is then a *multierror.Error with an
// *[Error] for each wrong line. Such a line is skipped: the default applies, or the Lenient value
// of the directive. At most 1,000 errors are kept; one more says how many others there are.
//
// The strings of the Config are parts of the file's text and keep it in memory.
func Load(path string, networks *allowlist.List) (*Config, error) {
	c, err := Read(path, networks)
	if c != nil {
		c.Networks = networks
		if len(c.Wide) > 0 {
			networks.Widen = c.HoldsWide
		}
	}
	return c, err
}

// Read is [Load] for networks of another kind: the Config has none.
//
// Its Sources are the files that were opened, and the names at which there was none that could be:
// while their stamps stay the same, Read would return the same. For that they must be settled, and
// still the same after Read.
func Read(path string, into Networks) (*Config, error) {
	l := &loader{
		config: Default(),
		into:   into,
		table:  directives,
		setAt:  make([]rule.Source, len(directives)),
	}
	l.config.lines = l.setAt
	if _, err := l.file(path, rule.Source{}); err != nil {
		return nil, err
	}
	l.absoluteAccess()
	l.readMap()
	l.applyLenient()
	l.setWides()
	return l.config, l.errors.result(path)
}

// text reads the lines of one file.
func (l *loader) text(path, text string) {
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		at := rule.Source{File: path, Line: n}
		if len(line) > maxLine {
			err := newError("split it into several lines", "line of %d bytes", len(line))
			l.reject(at, err, l.guessDirective(line), nil)
			continue
		}
		l.line(strings.TrimSuffix(strings.TrimPrefix(line, bom), "\r"), at)
	}
}

func (l *loader) line(line string, at rule.Source) {
	w := words{rest: line}
	if !w.next() {
		if w.err != nil {
			w = words{rest: line, secret: !l.errors.full() && namesList(line)}
			w.next()
			l.reject(at, w.err, l.guessDirective(line), nil)
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
			l.setOnce(i, w, at)
			return
		}
	}
	meant := l.guessDirective(line)
	err := l.unknown(w.word, meant)
	if !l.errors.full() && namesList(line) && (meant < 0 || l.table[meant].Name == "dnsbl") {
		err, meant = unknownList(line), l.index("dnsbl")
	}
	l.reject(at, err, meant, strings.FieldsFunc(line, isNameEnd))
}

// setOnce carries out a directive that must not be repeated. A second line is an error even if the
// first is wrong: the administrator must look at both. If it sets the same value, no lenient value
// is needed.
func (l *loader) setOnce(directive int, w words, at rule.Source) {
	d, first := &l.table[directive], &l.setAt[directive]
	l.args = l.args[:0]
	for w.next() {
		l.args = append(l.args, w.word)
	}
	if first.Line == 0 {
		*first = at
		if err := l.set(l.config, d, w.err); err != nil {
			if !strings.Contains(d.Args, observe) && slices.Contains(l.args, observe) {
				err = notAlone()
			}
			l.reject(at, prefixError(d.Name, err), directive, l.args)
		}
		return
	}
	err := prefixError(d.Name, newError("keep one", "already set at %s", *first))
	if c := *l.config; l.set(&c, d, w.err) == nil && d.line(&c) == d.line(l.config) {
		directive = -1
	}
	l.reject(at, err, directive, l.args)
}

// set sets the directive by the words of the current line.
func (l *loader) set(c *Config, d *directive, unread error) error {
	switch {
	case unread != nil:
		return unread
	case len(l.args) == 0, l.args[0] == "=" && len(l.args) == 1:
		return newError("write "+d.Name+" "+d.Args, "no value")
	case l.args[0] == "=":
		return newError("leave out the =", "= before the value")
	}
	args, observed := d.cutObserve(l.args)
	if d.most > 0 && len(args) > d.most {
		return newError("write "+d.Name+" "+d.Args, "%s is one word too many",
			quoted(args[d.most]))
	}
	if len(args) > 0 {
		if err := d.set(c, args); err != nil {
			return err
		}
	} else if d.Default == "0" {
		return newError("write a limit before observe", "no limit")
	}
	c.Observed &^= d.observed
	if observed {
		c.Observed |= d.observed
	}
	return nil
}

// unknown is the error for a line whose first word is no directive. The line probably means the
// directive meant, -1 if that is unknown.
func (l *loader) unknown(word string, meant int) *Error {
	if !l.errors.full() { // a further search takes time
		if _, _, err := allowlist.Parse(word); err == nil {
			return newError("write allow, deny or client before it", "%s stands alone",
				quoted(word))
		}
	}
	shown := word // but for what is assigned to it, which may hold a key
	if end := strings.IndexFunc(word, isNameEnd); end >= 0 {
		shown = word[:end]
	}
	if meant < 0 {
		return newError("remove it, or see sendwrap.conf(5)", "unknown directive %s", quoted(shown))
	}
	name := l.table[meant].Name
	for _, sign := range []string{"=", ":"} {
		if value, assigned := strings.CutPrefix(word, name+sign); assigned && value != "" {
			return newError("write "+name+" "+value, "%s is one word", quoted(word))
		}
	}
	return newError("did you mean "+name+"?", "unknown directive %s", quoted(shown))
}
